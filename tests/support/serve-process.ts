/** Our own server as a process of its own, by the command line. */
import { resolve } from 'node:path'
import { hasBubblewrap } from '../server/support.ts'

const main = resolve(import.meta.dir, '../../src/cli/main.ts')

export interface ServeProcess extends AsyncDisposable {
  readonly url: string
  readonly child: Bun.Subprocess
}

export interface ServeOptions {
  /** Default: `bubblewrap` where it is installed. */
  readonly isolation?: 'bubblewrap' | 'none'
  readonly env?: Readonly<Record<string, string>>
}

/** Starts `sandbox-slots serve` with more arguments; resolves when it listens. */
export async function startServe(
  more: readonly string[],
  { isolation = hasBubblewrap ? 'bubblewrap' : 'none', env = {} }: ServeOptions = {},
): Promise<ServeProcess> {
  const argv = [process.execPath, main, 'serve', '--isolation', isolation, '--drain-timeout', '1', ...more]
  const child = Bun.spawn(argv, {
    env: { ...process.env, ...env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'ignore',
  })
  const url = await firstLine(child.stdout)
  return {
    url,
    child,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM')
      await child.exited
    },
  }
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder()
  const reader = stream.getReader()
  let text = ''
  while (!text.includes('\n')) {
    const { value, done } = await reader.read()
    if (done) throw new Error('The server ended before it told its address')
    text += decoder.decode(value, { stream: true })
  }
  reader.releaseLock()
  return text.trim()
}
