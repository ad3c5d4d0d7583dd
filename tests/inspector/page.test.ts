/** The page in a real browser. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { readFile } from 'node:fs/promises'
import type { Browser, Page } from 'playwright-core'
import { openTrace, startInspector } from '../../src/inspector/mod.ts'
import { hasChromium, type Look, launch, openPage, total, until, untilText } from './browser.ts'
import { faintTexts, meetingLabels, overflowing } from './measure.ts'
import { answerOf, executorWith, runSmallJob } from './support.ts'

// When a test takes longer, Bun ends its child processes: the browser of all tests.
setDefaultTimeout(50_000)

const desk: Look = { width: 1280, colorScheme: 'light' }

if (!hasChromium) console.warn('skipped: the inspector’s page, since there is no /usr/bin/chromium')

describe.skipIf(!hasChromium)('the page', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(() => browser?.close())

  /** An inspector that has seen a small job, and the page with it. */
  async function withJob(look = desk) {
    const inspector = await startInspector()
    const executor = executorWith(inspector.inspect)
    await runSmallJob(executor)
    const watched = await openPage(browser, inspector.url, look)
    const dispose = async () => {
      await watched[Symbol.asyncDispose]()
      await executor.close()
      await inspector.stop()
    }
    return { inspector, executor, ...watched, [Symbol.asyncDispose]: dispose }
  }

  test('shows the charts of the machines, and counts that move while a job runs', async () => {
    await using inspector = await startInspector()
    const waits: (() => void)[] = []
    await using executor = executorWith(inspector.inspect, async (call) => {
      if (call.args?.command === 'wait') await new Promise<void>((resolve) => waits.push(resolve))
      return answerOf(call)
    })
    await using watched = await openPage(browser, inspector.url, desk)
    const { page, complaints, foreign } = watched
    const slots = executor.slots('http://127.0.0.1:4000', 6)
    const calls = slots.slice(0, 4).map((slot) => slot.bash('wait'))
    await expectCount(page, 'slot.borrowed.executing', '4')
    await expectCount(page, 'slot.idle', '2')
    await until(async () => waits.length === 4)
    const lighting = await litOnce(page)
    for (const finish of waits) finish()
    await until(lighting)
    await Promise.all(calls)
    await expectCount(page, 'slot.idle', '6')
    await page.getByRole('tab', { name: 'coordinator' }).click()
    await expectCount(page, 'coordinator.link.up', '1')
    await until(async () => (await total(page, 'exited')) === 4)
    expect(await total(page, 'posts')).toBeGreaterThanOrEqual(1)
    expect({ complaints, foreign }).toEqual({ complaints: [], foreign: [] })
  })

  test('a click on a slot follows it: state, path, results with output', async () => {
    await using job = await withJob()
    const { page, complaints } = job
    await page.locator('#grid').click({ position: { x: 10, y: 36 } })
    await page.getByRole('heading', { name: 'slot_0 @ 127.0.0.1:4000' }).waitFor()
    expect(await page.locator('.state.here').getAttribute('data-state')).toBe('slot.idle')
    expect(await page.locator('.edge.on-path').count()).toBeGreaterThan(2)
    expect(await page.locator('.results .ending').allInnerTexts()).toEqual([
      'exited, ok',
      'exited, ok',
      'exited, code 3',
      'exited, ok',
      'exited, ok',
    ])
    await page.locator('.results summary').nth(2).click()
    expect(await page.locator('.results pre').nth(2).textContent()).toContain('exit code 3')
    expect(complaints).toEqual([])
  })

  test('the grid is walked by keyboard, and says where one is', async () => {
    await using job = await withJob()
    const { page } = job
    await page.locator('#grid').focus()
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('End')
    expect(await page.locator('#grid-active').textContent()).toBe('slot_1 @ 127.0.0.1:4000, idle')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'slot_1 @ 127.0.0.1:4000' }).waitFor()
    await page.getByText('Containers as a table').click()
    expect(await page.locator('#containers-table tbody tr, #containers-table > tr').textContent()).toContain(
      '127.0.0.1:4000',
    )
  })

  test('lists that are out of sight follow as well', async () => {
    await using job = await withJob()
    const { page, executor } = job
    await runSmallJob(executor, 'http://127.0.0.1:4001')
    await until(async () => (await total(page, 'exited')) === 16)
    const all = await page.locator('#position').getAttribute('max')
    await untilText(page.locator('#timeline-count'), new RegExp(`^${all} of ${all} steps$`))
  })

  test('filters let through what they say', async () => {
    await using job = await withJob()
    const { page } = job
    const count = page.locator('#timeline-count')
    const all = await count.textContent()
    await page.getByLabel('Event', { exact: true }).selectOption('acquire')
    await untilText(count, /^2 of /)
    await page.getByLabel('Slot', { exact: true }).fill('slot_1')
    await untilText(count, /^1 of /)
    await page.getByRole('button', { name: 'Clear filters' }).click()
    await untilText(count, new RegExp(`^${all}$`))
    await page.getByLabel('Trajectory', { exact: true }).fill('trajectory-0')
    await page.getByLabel('Text', { exact: true }).fill('exit 3')
    // Where it came, and where its output came back.
    await until(async () => (await page.locator('.row').count()) === 2)
    expect(await page.locator('.row').first().textContent()).toContain('bash exit 3')
  })

  test('pause holds the moment while the job goes on; steps lead back and on; live again', async () => {
    await using job = await withJob()
    const { page, executor } = job
    await page.getByRole('button', { name: 'Pause' }).click()
    await runSmallJob(executor, 'http://127.0.0.1:4001')
    const slider = page.locator('#position')
    await until(async () => Number(await slider.getAttribute('max')) > Number(await slider.inputValue()))
    expect(await total(page, 'exited')).toBe(8)
    const before = Number(await slider.inputValue())
    await page.keyboard.press('[')
    await page.keyboard.press('[')
    await page.getByRole('button', { name: 'One step on' }).click()
    await until(async () => Number(await slider.inputValue()) === before - 1)
    await slider.fill('0')
    await until(async () => (await total(page, 'exited')) === 0)
    await page.getByRole('button', { name: 'Go live' }).click()
    await until(async () => (await total(page, 'exited')) === 16)
  })

  test('a replay runs through the recorded history and stops at its end', async () => {
    await using job = await withJob()
    const { page, executor } = job
    // At 1/100 of the speed, the pause before the second job is longer than any test.
    await Bun.sleep(300)
    await runSmallJob(executor, 'http://127.0.0.1:4001')
    await until(async () => (await total(page, 'exited')) === 16)
    await page.getByLabel('Speed of the replay').selectOption('0.01')
    const lighting = await litOnce(page)
    await page.getByRole('button', { name: 'Replay' }).click()
    await untilText(page.locator('#status'), /replay/)
    await until(lighting)
    await page.getByRole('button', { name: 'Stop' }).click()
    expect(await total(page, 'exited')).toBeLessThan(16)
    await page.getByLabel('Speed of the replay').selectOption('100')
    await page.getByRole('button', { name: 'Replay' }).click()
    await until(async () => (await total(page, 'exited')) === 16)
    await untilText(page.locator('#status'), /paused/)
  })

  test('search finds an execution and goes where it ended', async () => {
    await using job = await withJob()
    const { page, executor } = job
    const [slot] = executor.slots('http://127.0.0.1:4000', 1)
    await executor.execute(slot, 'bash', { command: 'echo needle' }, { executionId: 'call-4711' })
    await until(async () => (await total(page, 'exited')) === 9)
    await page.keyboard.press('/')
    await page.keyboard.type('call-47')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'slot_0 @ 127.0.0.1:4000' }).waitFor()
    expect(await page.locator('.row.current').textContent()).toContain('settled')
    expect(await page.locator('.results').textContent()).toContain('echo needle')
  })

  test('posts show their calls, and when each came back', async () => {
    await using job = await withJob()
    const { page } = job
    const first = page.locator('.post-head', { hasText: '2 calls' }).first()
    await first.click()
    await page.locator('.post-calls li').first().waitFor()
    const calls = await page.locator('.post-calls li').allInnerTexts()
    expect(calls.length).toBe(2)
    for (const call of calls) expect(call).toMatch(/after [\d.]+ (?:ms|s) exited/)
  })

  test('an exported trace opens again: in the page, and by openTrace', async () => {
    await using job = await withJob()
    const { page, complaints } = job
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Export trace' }).click(),
    ])
    const file = await download.path()
    expect(await readFile(file, 'utf8')).toContain('"kind":"trace","version":1')
    await page.getByLabel('Open trace').setInputFiles(file)
    await untilText(page.locator('#status'), /recorded/)
    expect(await total(page, 'exited')).toBe(8)
    await page.keyboard.press('[')
    await page
      .getByLabel('Open trace')
      .setInputFiles({ name: 'x.jsonl', mimeType: 'text/plain', buffer: Buffer.from('{}') })
    await untilText(page.getByRole('alert'), /Cannot open x\.jsonl: This is no trace/)
    await using opened = await openTrace(file)
    await using again = await openPage(browser, opened.url, desk)
    expect(await total(again.page, 'exited')).toBe(8)
    expect([...complaints, ...again.complaints]).toEqual([])
  })

  test('when the program ends, the page says so and keeps what it has', async () => {
    await using job = await withJob()
    const { page, inspector } = job
    await inspector.stop()
    await untilText(page.locator('#status'), /program ended/)
    expect(await total(page, 'exited')).toBe(8)
  })

  test('another program at the same address is not taken for the one that ended', async () => {
    await using job = await withJob()
    const { page, inspector } = job
    await inspector.stop()
    const refused = page.waitForResponse((response) => response.status() === 204)
    await using other = await startInspector({ port: Number(new URL(inspector.url).port) })
    await using executor = executorWith(other.inspect)
    await runSmallJob(executor)
    await refused
    await untilText(page.locator('#status'), /program ended/)
    expect(await total(page, 'exited')).toBe(8)
  })

  test.each([1280, 390])(
    'at %d px, light and dark: labels apart, nothing overflows, all can be read',
    async (width) => {
      await using job = await withJob({ width, colorScheme: 'light' })
      const { page, complaints, foreign } = job
      await page.locator('#grid').click({ position: { x: 10, y: 36 } })
      await page.locator('.results').waitFor()
      for (const name of ['slot', 'coordinator', 'pool']) {
        await page.getByRole('tab', { name }).click()
        expect(await meetingLabels(page)).toEqual([])
        expect(await overflowing(page)).toEqual([])
        for (const colorScheme of ['dark', 'light'] as const) {
          await page.emulateMedia({ colorScheme })
          expect(await faintTexts(page)).toEqual([])
        }
      }
      expect({ complaints, foreign }).toEqual({ complaints: [], foreign: [] })
    },
  )
})

function expectCount(page: Page, state: string, text: string): Promise<void> {
  return untilText(page.locator(`[data-count="${state}"]`), new RegExp(`^${text}$`))
}

/** From now on looks whether a transition lights up: it does so for less than a second. */
async function litOnce(page: Page): Promise<() => Promise<boolean>> {
  const seen = await page.evaluateHandle(() => {
    const found = { isLit: false }
    const look = () => {
      if (document.querySelector('.chart-view:not([hidden]) .lit') !== null) found.isLit = true
    }
    const options = { subtree: true, attributeFilter: ['class'] }
    for (const chart of document.querySelectorAll('.chart-view'))
      new MutationObserver(look).observe(chart, options)
    return found
  })
  return () => seen.evaluate(({ isLit }) => isLit)
}
