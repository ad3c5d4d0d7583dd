/**
 * Promise 17: bombs of processes, memory and disk in a server of its own with its own limits: it answers while they go off,
 * the slot beside runs, and the slot recovers. `bun tests/campaign/bombs.ts [rounds]`
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ExecutionResult, SandboxExecutor } from '../../mod.ts'
import { insideOf } from '../server/support.ts'
import { startServe } from '../support/serve-process.ts'
import { the } from '../support/the.ts'
import { below, type Check, exactly, runAlone } from './check.ts'

/** What it is, and what becomes of it. */
const bombs: readonly { name: string; command: string; isDefused(result: ExecutionResult): boolean }[] = [
  {
    name: 'fork',
    command: 'b() { b | b & }; b; sleep 60',
    isDefused: ({ outcome }) => outcome === 'timed-out',
  },
  {
    name: 'fork by setsid',
    command: 'f() { while :; do setsid sleep 60 & done; }; f & f & f 2> /dev/null; sleep 60',
    isDefused: ({ outcome }) => outcome === 'timed-out',
  },
  {
    name: 'memory',
    command: '/usr/bin/python3 -c "x = bytearray(64 << 30)"',
    isDefused: ({ outcome, output }) => outcome === 'exited' && output.includes('MemoryError'),
  },
  {
    name: 'one file',
    command: 'head -c 3000000000 /dev/zero > big; stat -c %s big; rm big',
    isDefused: ({ output }) => output.includes(String(2 ** 30)),
  },
  {
    name: '/tmp',
    command: 'head -c 600000000 /dev/zero > /tmp/big; stat -c %s /tmp/big',
    isDefused: ({ output }) => output.includes(String(2 ** 28)) && output.includes('No space left'),
  },
  {
    name: 'open files',
    command: '/usr/bin/python3 -c "x = [open(\'/dev/null\') for _ in range(5000)]"',
    isDefused: ({ output }) => output.includes('Too many open files'),
  },
]

const residentMB = (pid: number) =>
  (Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1_024) / 1e6

export const bombsCheck: Check = {
  name: 'bombs',
  row: '17',
  unit: 'rounds',
  sizes: { full: 5, quick: 1 },
  needs: 'bubblewrap',
  run: async (rounds) => {
    const dataDir = mkdtempSync(join(tmpdir(), 'bombs-'))
    const wrongs: string[] = []
    let [unrecovered, unanswered, asked, blocked, survivors] = [0, 0, 0, 0, 0]
    try {
      await using server = await startServe(['--slots', '2', '--data-dir', dataDir])
      await using executor = new SandboxExecutor({ timeoutMs: 60_000 })
      const [slot, beside] = executor.slots(server.url, 2)
      await slot.bash('true')
      const before = residentMB(server.child.pid)
      for (let round = 0; round < rounds; round += 1) {
        for (const { name, command, isDefused } of bombs) {
          const isFork = name.startsWith('fork')
          let isOver = false
          const bomb = slot.bash(command, { timeoutMs: isFork ? 1_000 : 60_000 }).finally(() => {
            isOver = true
          })
          const neighbour = the(beside).bash('/bin/echo beside')
          while (!isOver) {
            asked += 1
            if (!(await executor.healthCheck(server.url))) unanswered += 1
            await Bun.sleep(20)
          }
          const result = await bomb
          if (!isDefused(result)) wrongs.push(`${name}: ${result.outcome}: ${result.output.slice(-200)}`)
          if ((await neighbour).output !== 'beside') blocked += 1
          if ((await slot.bash('/bin/echo usable')).output !== 'usable') unrecovered += 1
          // Its next sandbox may wait already; what it was to run is no longer there.
          survivors += insideOf(join(dataDir, 'slot_0')).filter(isOfBomb).length
        }
      }
      const grown = residentMB(server.child.pid) - before
      return {
        done: `${rounds * bombs.length} bombs: ${bombs.map(({ name }) => name).join(', ')}; /health asked ${asked} times meanwhile`,
        figures: [
          exactly('times /health did not answer', unanswered, 0),
          exactly('calls beside that failed', blocked, 0),
          exactly('times the slot did not recover', unrecovered, 0),
          exactly('processes of a bomb left', survivors, 0),
          below('MB that the server grew', grown, 64),
        ],
        wrongs,
      }
    } finally {
      rmSync(dataDir, { recursive: true })
    }
  },
}

function isOfBomb(pid: string): boolean {
  try {
    return /sleep|python3|head/.test(readFileSync(`/proc/${pid}/cmdline`, 'latin1'))
  } catch {
    return false
  }
}

if (import.meta.main) await runAlone(bombsCheck)
