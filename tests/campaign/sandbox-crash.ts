/**
 * Promise 4: kill -9 of the server, again and again, while its sandboxes start and while it is under load. A second
 * later no process of it may be left. `bun tests/campaign/sandbox-crash.ts [kills]`, each in three ways
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSandbox } from '../../src/server/sandbox.ts'
import { type Check, exactly, runAlone } from './check.ts'

/** The server that is killed: starts its sandboxes over and over, or runs commands in all slots. */
async function victim(mode: string, dataDir: string, bwrapPath: string | undefined): Promise<void> {
  const sandbox = await createSandbox({
    slots: 4,
    dataDir,
    ...(bwrapPath === undefined ? {} : { bwrapPath }),
  })
  console.log('up')
  const body = (path: string, json: object) =>
    new Request(`http://127.0.0.1${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(json),
    })
  const loop = async (index: number) => {
    const slot_id = `slot_${index}`
    for (;;) {
      // A reset throws the waiting sandbox away and starts the next.
      if (mode === 'start') await sandbox.handler(body('/reset', { slot_id }))
      else {
        const hides = '(setsid sh -c "sleep 30 & sleep 30" > /dev/null 2>&1 &)'
        // Half of the slots are always in the middle of a command, the others between two.
        const script = `touch ran; sleep 0.03 & ${hides}; head -c 9999 /dev/zero; wait %1; sleep ${index < 2 ? 30 : 0}`
        // And half of the commands are programs that need no shell.
        const command = index % 2 === 0 ? script : `bash -c '${script}'`
        await sandbox.handler(body('/execute', { slot_id, tool: 'bash', args: { command }, timeout: 60 }))
      }
    }
  }
  await Promise.all([0, 1, 2, 3].map(loop))
}

/** Processes whose arguments contain `marker`, and all that hang below them. */
export function left(marker: string): string[] {
  const found: string[] = []
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid) || pid === String(process.pid)) continue
    try {
      // Commands have the data directory nowhere, but live in a pid namespace with the sandbox that has.
      const [line, root] = [
        readFileSync(`/proc/${pid}/cmdline`, 'latin1'),
        readFileSync(`/proc/${pid}/mountinfo`, 'latin1'),
      ]
      if (line.includes(marker) || root.includes(marker))
        found.push(`${pid} ${line.replaceAll('\0', ' ').slice(0, 80)}`)
    } catch {
      // It has gone.
    }
  }
  return found
}

/** `start`: while sandboxes start; `load`: while commands run; `hidden`: the same, with a data directory of its own kind. */
export const crashModes = ['start', 'load', 'hidden'] as const
export type CrashMode = (typeof crashModes)[number]

/** A server of its own, which works by now. */
export async function startVictim(mode: CrashMode, dataDir: string, ...bwrapPath: string[]) {
  const argv = [process.execPath, import.meta.path, 'victim', mode, dataDir, ...bwrapPath]
  const child = Bun.spawn(argv, { stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' })
  await child.stdout.getReader().read()
  return child
}

/** What is left of servers that were killed `times` times in `mode`, at moments spread over `spreadMs`. */
export async function crash(mode: CrashMode, times: number, spreadMs = 120): Promise<string[]> {
  const found: string[] = []
  for (let time = 0; time < times; time++) {
    const place = mkdtempSync(join(tmpdir(), 'sandbox-crash-'))
    // `hidden`: a data directory that only its owner can reach by its path.
    const dataDir = mode === 'hidden' ? join(place, 'data') : place
    const child = await startVictim(mode, dataDir)
    await Bun.sleep((time / times) * spreadMs)
    child.kill('SIGKILL')
    await child.exited
    await Bun.sleep(1_000)
    found.push(...left(dataDir))
    rmSync(place, { recursive: true, force: true })
  }
  return found
}

export const sandboxCrash: Check = {
  name: 'sandbox-crash',
  row: '4',
  unit: 'kills in each of three ways',
  sizes: { full: 40, quick: 2 },
  needs: 'bubblewrap',
  run: async (kills) => {
    const found: string[] = []
    for (const mode of crashModes) found.push(...(await crash(mode, kills)).map((line) => `${mode}: ${line}`))
    return {
      done: `${kills * crashModes.length} times kill -9 of a server that makes sandboxes, or runs commands in all of them`,
      figures: [exactly('processes left after 1 s', found.length, 0)],
      wrongs: found,
    }
  },
}

if (import.meta.main) {
  const [first, mode = '', dataDir = '', bwrapPath] = process.argv.slice(2)
  if (first === 'victim') await victim(mode, dataDir, bwrapPath)
  else await runAlone(sandboxCrash)
}
