/**
 * Promise 9: 1 GB up and down, hashes equal, and how much memory client and server take for it, each in a process of its
 * own. `bun tests/campaign/big-files.ts [megabytes]`
 */
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SandboxExecutor } from '../../mod.ts'
import { startSandboxServer } from '../../src/server/mod.ts'
import { below, type Check, exactly, type Findings, runAlone } from './check.ts'

/** The most memory this process has held since `start`, in MB above what it held then. */
function watchMemory() {
  const before = process.memoryUsage.rss()
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss())
  }, 5)
  return () => {
    clearInterval(timer)
    return Math.round((most - before) / 1e6)
  }
}

async function serve(): Promise<void> {
  await using server = await startSandboxServer({ slots: 1, isolation: 'none' })
  const grown = watchMemory()
  console.log(server.url)
  // Until the client has gone.
  for await (const _ of Bun.stdin.stream());
  console.log(grown())
}

async function upAndDown(megabytes: number): Promise<Findings> {
  const child = Bun.spawn([process.execPath, fileURLToPath(import.meta.url), 'serve'], {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'inherit',
  })
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader()
  const url = (await lines.read()).value?.trim() ?? ''
  const path = join(tmpdir(), `sandbox-slots-big-${process.pid}`)
  try {
    const writer = Bun.file(path).writer()
    for (let count = 0; count < megabytes; count += 1) {
      writer.write(crypto.getRandomValues(new Uint8Array(65_536)))
      for (let part = 1; part < 16; part += 1) writer.write(new Uint8Array(65_536).fill(count + part))
      await writer.flush()
    }
    await writer.end()
    Bun.gc(true)
    await using executor = new SandboxExecutor({ timeoutMs: 240_000 })
    const [slot] = executor.slots(url, 1)
    const grown = watchMemory()
    const start = performance.now()
    const up = await slot.upload('big.bin', Bun.file(path))
    const middle = performance.now()
    const down = await slot.download('big.bin')
    let bytes = 0
    for await (const chunk of down.body) bytes += chunk.byteLength
    const end = performance.now()
    await child.stdin.end()
    const serverGrew = Number((await lines.read()).value)
    // It removes its data.
    await child.exited
    const seconds = (ms: number) => (ms / 1_000).toFixed(1)
    const isSame = up.sha256 !== null && up.sha256 === down.sha256 && bytes === up.bytes
    return {
      done: `a file of ${megabytes} MiB up in ${seconds(middle - start)} s and down in ${seconds(end - middle)} s`,
      figures: [
        exactly('hashes and lengths that differ', isSame ? 0 : 1, 0),
        below('MB that the client grew', grown(), 64),
        below('MB that the server grew', serverGrew, 64),
      ],
      wrongs: [up, down].flatMap(({ success, error }) => (success ? [] : [String(error)])),
    }
  } finally {
    await rm(path, { force: true })
    child.kill()
    await child.exited
  }
}

export const bigFiles: Check = {
  name: 'big-files',
  row: '9',
  unit: 'megabytes',
  sizes: { full: 1_024, quick: 200 },
  run: upAndDown,
}

if (import.meta.main) await (process.argv[2] === 'serve' ? serve() : runAlone(bigFiles))
