/**
 * The picture of the inspector in README.md: a pool of three servers of ours at work.
 *
 *     bun tests/inspector/screenshot.ts
 */
import { join } from 'node:path'
import { type Lease, SlotPool, staticDiscovery } from '../../mod.ts'
import { startInspector } from '../../src/inspector/mod.ts'
import { startSandboxServer } from '../../src/server/mod.ts'
import { launch, openPage } from './browser.ts'

const slots = 16
const atWork = 60

await using inspector = await startInspector()
const servers = await Promise.all([1, 2, 3].map(() => startSandboxServer({ slots, isolation: 'none' })))
const pool = await SlotPool.start({
  discovery: staticDiscovery(servers.map(({ url }) => url)),
  executor: { inspect: inspector.inspect },
})
const stop = new AbortController()

async function agent(name: number): Promise<void> {
  for (let round = 0; !stop.signal.aborted; round++) {
    const lease = await pool.acquire({ trajectoryId: `HumanEval/${name}-${round}` })
    await calls(lease)
    await lease.release()
  }
}

async function calls(lease: Lease): Promise<void> {
  await lease.writeFile('solution.py', `print(${Math.random()})`)
  await lease.bash('python3 solution.py')
  const signal = AbortSignal.timeout(200)
  await Promise.all([lease.bash('sleep 10', { signal }), lease.readFile('solution.py')])
  await lease.bash('sleep 0.2; wc -l solution.py')
}

const agents = Array.from({ length: atWork }, (_, name) => agent(name))
const browser = await launch()
try {
  await using watched = await openPage(browser, inspector.url, { width: 1280, colorScheme: 'light' })
  await watched.page.setViewportSize({ width: 1280, height: 1280 })
  await Bun.sleep(8_000)
  await watched.page.locator('#grid').click({ position: { x: 180, y: 36 } })
  await Bun.sleep(1_000)
  await watched.page.screenshot({ path: join(import.meta.dir, 'screenshot.png') })
} finally {
  await browser.close()
  stop.abort()
  await Promise.all(agents)
  await pool.stop()
  for (const server of servers) await server.stop()
}
