/** The page of a pool in a real browser. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import { SlotPool, staticDiscovery } from '../../mod.ts'
import { startInspector } from '../../src/inspector/mod.ts'
import { hasChromium, launch, openPage, untilText } from './browser.ts'
import { faintTexts, overflowing } from './measure.ts'
import { executorWith, runSmallJob } from './support.ts'

setDefaultTimeout(50_000)

describe.skipIf(!hasChromium)('the page', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(() => browser?.close())

  test('shows a pool: containers with health and leases, who waits, and how long they have waited', async () => {
    await using inspector = await startInspector()
    await using executor = executorWith(inspector.inspect)
    await using pool = await SlotPool.start({
      executor,
      discovery: staticDiscovery(['http://127.0.0.1:4000', 'http://127.0.0.1:4001']),
      slotsPerContainer: 2,
    })
    const leases = await Promise.all([1, 2, 3, 4].map(() => pool.acquire()))
    const waiting = [pool.acquire(), pool.acquire()]
    await using watched = await openPage(browser, inspector.url, { width: 390, colorScheme: 'light' })
    const { page, complaints } = watched
    const numbers = page.locator('#pool-numbers')
    await untilText(numbers, /^4 leases, 2 wait, the first for .+, the last 4 waited /)
    const cells = await page.locator('#pool-table tr').allInnerTexts()
    expect(cells.map((text) => text.split(/\s+/).filter((_, index) => index < 2))).toEqual([
      ['Container', 'Health'],
      ['127.0.0.1:4000', 'healthy'],
      ['127.0.0.1:4001', 'healthy'],
    ])
    expect(await overflowing(page)).toEqual([])
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme })
      expect(await faintTexts(page)).toEqual([])
    }
    for (const lease of leases) await lease.release()
    await untilText(numbers, /^2 leases, nobody waits, the last 6 waited /)
    for (const lease of await Promise.all(waiting)) await lease.release()
    await untilText(numbers, /^0 leases, nobody waits/)
    expect(complaints).toEqual([])
  })

  test('shows nothing of a pool where there is none', async () => {
    await using inspector = await startInspector()
    await using executor = executorWith(inspector.inspect)
    await runSmallJob(executor)
    await using watched = await openPage(browser, inspector.url, { width: 1280, colorScheme: 'light' })
    await watched.page.locator('#grid').waitFor()
    expect(await watched.page.locator('#pool').isVisible()).toBe(false)
  })
})
