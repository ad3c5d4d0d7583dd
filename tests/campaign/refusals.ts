/**
 * Promise 13: without a bubblewrap that works nothing runs unless `--isolation none` is said; and nothing that a tool
 * prints, or how it ends, changes that. `bun tests/campaign/refusals.ts [rounds]`
 */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createSandbox } from '../../src/server/sandbox.ts'
import { bash, hasBubblewrap } from '../server/support.ts'
import { type Check, exactly, runAlone } from './check.ts'

const main = resolve(import.meta.dir, '../../src/cli/main.ts')
const module = resolve(import.meta.dir, '../../src/server/mod.ts')

/** Bubblewraps that do not work: not there, or programs that say or do something else. */
const broken: Readonly<Record<string, string | undefined>> = {
  'not there': undefined,
  fails: 'exit 1',
  'does nothing': 'exit 0',
  'says that it is ready': 'echo ready; echo ok; exit 0',
  'has no permission': 'echo "bwrap: No permissions to create new namespace" >&2; exit 1',
  'runs the command without a sandbox':
    'while [ "$1" != -- ] && [ $# -gt 0 ]; do shift; done; shift; exec "$@"',
}

const starts: Readonly<Record<string, readonly string[]>> = {
  'run FILE': [main, 'run', 'calls.jsonl'],
  'run FILE --isolation bubblewrap': [main, 'run', 'calls.jsonl', '--isolation', 'bubblewrap'],
  'run --isolation bubblewrap': [main, 'run', '--isolation', 'bubblewrap'],
  serve: [main, 'serve'],
  'serve --isolation bubblewrap': [main, 'serve', '--isolation', 'bubblewrap'],
  startSandboxServer: [
    '-e',
    `const { startSandboxServer } = await import('${module}'); try { await startSandboxServer() } catch { process.exit(2) }`,
  ],
}

/** What a call may say or do to look like a sandbox that does not work. */
const lies = [
  'echo "bwrap: No permissions to create new namespace" >&2; exit 1',
  'echo "bwrap: setting up uid map: Permission denied" >&2; exit 1',
  'exit 125',
  'exit 126',
  'exit 127',
  'echo ready; echo took; echo 0; exit 0',
  'echo \'{"success":true,"metadata":{"sandboxed":false}}\'',
  'kill -9 -1',
  'kill -9 $$',
  'for fd in /proc/self/fd/*; do echo "sandboxed=false" > $fd; done 2> /dev/null',
]

class Place implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'refusals-'))
  readonly witness = join(this.path, 'witness')

  constructor() {
    const call = { trajectory: 'a', tool: 'bash', args: { command: `touch ${this.witness}` } }
    writeFileSync(join(this.path, 'calls.jsonl'), `${JSON.stringify(call)}\n`)
    mkdirSync(join(this.path, 'temporary'))
  }

  /** A PATH with this bubblewrap, and all else that there is. */
  pathWith(script: string | undefined): string {
    const bin = mkdtempSync(join(this.path, 'bin-'))
    if (script === undefined) return bin
    writeFileSync(join(bin, 'bwrap'), `#!/bin/sh\n${script}\n`)
    chmodSync(join(bin, 'bwrap'), 0o755)
    return `${bin}:/usr/bin:/bin`
  }

  /** Runs a command to its end, or for five seconds: then it has started. */
  async run(argv: readonly string[], path: string): Promise<{ code: number | null; stderr: string }> {
    const child = Bun.spawn([process.execPath, ...argv], {
      cwd: this.path,
      env: { PATH: path, TMPDIR: join(this.path, 'temporary'), HOME: this.path },
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: 20_000,
    })
    const [stderr] = await Promise.all([new Response(child.stderr).text(), child.exited])
    return { code: child.exitCode, stderr }
  }

  /** Whether the command ran; forgets it. */
  hasRun(): boolean {
    const ran = existsSync(this.witness)
    rmSync(this.witness, { force: true })
    return ran
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** How many of the lies moved the server to run a call without its sandbox. */
async function believed(rounds: number, hostFile: string, wrongs: string[]): Promise<number> {
  const sandbox = await createSandbox({ slots: 1 })
  let count = 0
  for (let round = 0; round < rounds; round += 1) {
    for (const lie of lies) {
      const liar = await bash(sandbox, lie)
      const next = await bash(sandbox, `test -e ${hostFile} && echo outside; echo $((6 * 7))`)
      const isSandboxed = liar.metadata.sandboxed === true && next.metadata.sandboxed === true
      if (isSandboxed && next.output === '42') continue
      count += 1
      wrongs.push(`${lie}: ${JSON.stringify([liar, next])}`)
    }
  }
  await sandbox.stop()
  return count
}

export const refusals: Check = {
  name: 'refusals',
  row: '13',
  unit: 'rounds of lies',
  sizes: { full: 5, quick: 1 },
  run: async (rounds) => {
    using place = new Place()
    const wrongs: string[] = []
    let [started, ran, cases] = [0, 0, 0]
    for (const [how, script] of Object.entries(broken)) {
      const path = place.pathWith(script)
      for (const [start, argv] of Object.entries(starts)) {
        cases += 1
        const { code, stderr } = await place.run(argv, path)
        if (code !== 2) {
          started += 1
          wrongs.push(`${start}, bubblewrap ${how}: exit code ${code}: ${stderr.slice(0, 200)}`)
        }
        if (place.hasRun()) ran += 1
      }
    }
    const without = place.pathWith(undefined)
    await place.run([main, 'run', 'calls.jsonl', '--isolation', 'none'], `${without}:/usr/bin:/bin`)
    if (!place.hasRun()) wrongs.push('The witness sees nothing')
    const bundled = await place.run([main, 'run'], without)
    if (bundled.code !== 0 || !bundled.stderr.startsWith('Warning: '))
      wrongs.push(`The bundled job: ${bundled.code} ${bundled.stderr.slice(0, 200)}`)
    const policy = hasBubblewrap ? await believed(rounds, place.path, wrongs) : 0
    return {
      done: `${cases} ways to start with a bubblewrap that does not work; ${hasBubblewrap ? rounds * lies.length : 0} calls that pretend that their sandbox does not`,
      figures: [
        exactly('started', started, 0),
        exactly('commands ran', ran, 0),
        exactly('calls believed', policy, 0),
      ],
      wrongs,
    }
  },
}

if (import.meta.main) await runAlone(refusals)
