/** Promise 9: what 1 GB of output costs the server in memory. `bun tests/campaign/sandbox-memory.ts [megabytes]` */
import { createSandbox } from '../../src/server/sandbox.ts'
import { bash } from '../server/support.ts'
import { below, type Check, exactly, runAlone } from './check.ts'

const MB = 1_000_000

export const sandboxMemory: Check = {
  name: 'sandbox-memory',
  row: '9',
  unit: 'megabytes',
  sizes: { full: 1_000, quick: 300 },
  needs: 'bubblewrap',
  run: async (megabytes) => {
    const sandbox = await createSandbox({ slots: 1 })
    await bash(sandbox, 'head -c 20000000 /dev/zero')
    Bun.gc(true)
    const before = process.memoryUsage.rss()
    let highest = before
    const watch = setInterval(() => {
      highest = Math.max(highest, process.memoryUsage.rss())
    }, 5)
    const command = `echo the head; yes 0123456789 | head -c ${megabytes * MB}; echo; echo the tail`
    const { metadata } = await bash(sandbox, command, { timeout: 300 })
    clearInterval(watch)
    await sandbox.stop()
    const kept = String(metadata.stdout)
    const isWhole = kept.startsWith('the head\n0123') && kept.endsWith('\nthe tail\n')
    return {
      done: `${megabytes} MB of stdout`,
      figures: [
        below('MB that the server grew', (highest - before) / MB, 64),
        exactly('bytes counted', Number(metadata.stdout_bytes), megabytes * MB + 19),
      ],
      wrongs: isWhole ? [] : [`Head and tail are not there: ${kept.slice(0, 30)} … ${kept.slice(-30)}`],
    }
  },
}

if (import.meta.main) await runAlone(sandboxMemory)
