/**
 * What 1 GB of output costs the server in memory, and how long /health takes meanwhile.
 *
 *     bun tests/campaign/sandbox-memory.ts
 */
import { createSandbox } from '../../src/server/sandbox.ts'
import { baseUrl, bash } from '../server/support.ts'

const MB = 1_000_000
const sandbox = await createSandbox({ slots: 1 })
await bash(sandbox, 'head -c 20000000 /dev/zero')
Bun.gc(true)
const before = process.memoryUsage.rss()
let highest = before
const waits: number[] = []
const watch = setInterval(async () => {
  highest = Math.max(highest, process.memoryUsage.rss())
  const begin = performance.now()
  await sandbox.handler(new Request(`${baseUrl}/health`))
  waits.push(performance.now() - begin)
}, 5)
const begin = performance.now()
const { metadata } = await bash(sandbox, 'yes 0123456789 | head -c 1000000000', { timeout: 120 })
const seconds = (performance.now() - begin) / 1000
clearInterval(watch)
await sandbox.stop()
waits.sort((a, b) => a - b)
const grown = (highest - before) / MB
console.log(
  `${metadata.stdout_bytes} bytes counted in ${seconds.toFixed(2)} s, RSS grew ${grown.toFixed(1)} MB, ` +
    `/health p99 ${(waits[Math.floor(waits.length * 0.99)] ?? 0).toFixed(2)} ms of ${waits.length}`,
)
if (grown >= 64 || metadata.stdout_bytes !== 1_000_000_000) process.exitCode = 1
