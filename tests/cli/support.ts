/** The command line as a process of its own, in a directory of its own. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import * as v from 'valibot'

const main = resolve(import.meta.dir, '../../src/cli/main.ts')

export interface Ended {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

export interface CliOptions {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
}

const started: { readonly cwd: string; readonly child: ReturnType<typeof startCli> }[] = []

/** A started command; it ends with its {@link Place}, also when the test fails. */
export function startCli(args: readonly string[], { cwd, env = {} }: CliOptions) {
  const child = Bun.spawn([process.execPath, main, ...args], {
    cwd,
    env: { ...process.env, SANDBOX_SLOTS_DEBUG: '', TMPDIR: temporaryIn(cwd), ...env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  started.push({ cwd, child })
  return child
}

export async function cli(args: readonly string[], options: CliOptions): Promise<Ended> {
  return await ended(startCli(args, options))
}

export async function ended(child: ReturnType<typeof startCli>): Promise<Ended> {
  const [stdout, stderr, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { exitCode, stdout, stderr }
}

/** A directory for one test file; what the commands leave in their temporary directory can be seen. */
export class Place implements Disposable {
  readonly path = realpathSync(mkdtempSync(join(tmpdir(), 'cli-test-')))

  constructor() {
    mkdirSync(temporaryIn(this.path))
  }

  write(name: string, content: string): string {
    writeFileSync(join(this.path, name), content)
    return name
  }

  writeLines(name: string, values: readonly unknown[]): string {
    return this.write(name, values.map((value) => `${JSON.stringify(value)}\n`).join(''))
  }

  read(name: string): string {
    return readFileSync(join(this.path, name), 'utf8')
  }

  /** Lines that are written whole; none while the file is not there. */
  lines(name: string): string[] {
    try {
      return this.read(name).split('\n').slice(0, -1)
    } catch {
      return []
    }
  }

  records(name: string): TestRecord[] {
    return this.lines(name).map((line) => v.parse(resultLine, JSON.parse(line)))
  }

  /** What is left in the commands' temporary directory. */
  get leftovers(): string[] {
    return readdirSync(temporaryIn(this.path))
  }

  [Symbol.dispose](): void {
    for (const { cwd, child } of started) if (cwd === this.path) child.kill('SIGKILL')
    rmSync(this.path, { recursive: true, force: true })
  }
}

function temporaryIn(path: string): string {
  return join(path, 'temporary')
}

/** A line of a results file, as api.md says it, with nothing else in it. */
export const resultLine = v.strictObject({
  index: v.number(),
  trajectory: v.string(),
  tool: v.string(),
  success: v.boolean(),
  outcome: v.picklist(['exited', 'timed-out', 'cancelled', 'not-run', 'unknown']),
  output: v.string(),
  error: v.string(),
  execution_id: v.nullable(v.string()),
  slot_id: v.nullable(v.string()),
  container: v.nullable(v.string()),
  duration_s: v.number(),
  metadata: v.record(v.string(), v.unknown()),
})

export type TestRecord = v.InferOutput<typeof resultLine>

export function bashCall(trajectory: string, command: string, timeout_s?: number) {
  return { trajectory, tool: 'bash', args: { command }, ...(timeout_s === undefined ? {} : { timeout_s }) }
}

/** Waits until something is so; the test's own timeout ends it. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await Bun.sleep(10)
}

/** `serve` in a process of its own. */
export async function startServe(args: readonly string[], options: CliOptions) {
  const child = startCli(['serve', ...args], options)
  const reader = child.stdout.getReader()
  const decoder = new TextDecoder()
  let text = ''
  while (!text.includes('\n')) {
    const { value, done } = await reader.read()
    if (done) throw new Error(`serve ended: ${await new Response(child.stderr).text()}`)
    text += decoder.decode(value, { stream: true })
  }
  reader.releaseLock()
  return { child, url: text.slice(0, text.indexOf('\n')) }
}

export const hasBubblewrap = Bun.which('bwrap') !== null

/** For what can be seen without a sandbox as well as with one. */
export const anyIsolation = hasBubblewrap ? [] : ['--isolation', 'none']

/** Whether a process whose command line holds this text is there. */
export function isRunning(text: string): boolean {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .some((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').includes(text)
      } catch {
        return false
      }
    })
}
