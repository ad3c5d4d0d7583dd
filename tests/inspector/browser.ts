/** Chromium with the page in it, and what is measured there. */
import { existsSync } from 'node:fs'
import { type Browser, chromium, type Locator, type Page } from 'playwright-core'

const executablePath = '/usr/bin/chromium'

export const hasChromium = existsSync(executablePath)

export function launch(): Promise<Browser> {
  const args = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ]
  return chromium.launch({ executablePath, args })
}

/** What a page said and asked for. */
export interface Watched {
  readonly page: Page
  /** Errors and warnings of its console, and errors that nobody caught. */
  readonly complaints: string[]
  /** Requests to anywhere but where the page is from. */
  readonly foreign: string[]
  [Symbol.asyncDispose](): Promise<void>
}

export interface Look {
  readonly width: number
  readonly colorScheme: 'light' | 'dark'
}

export async function openPage(browser: Browser, url: string, look: Look): Promise<Watched> {
  const { width, colorScheme } = look
  const page = await browser.newPage({ viewport: { width, height: width > 800 ? 900 : 844 }, colorScheme })
  page.setDefaultTimeout(10_000)
  const complaints: string[] = []
  const foreign: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('request', (request) => {
    const asked = request.url()
    if (!asked.startsWith(url) && !asked.startsWith('blob:') && !asked.startsWith('data:'))
      foreign.push(asked)
  })
  await page.goto(url)
  await page.locator('#status:not(:empty)').waitFor()
  return { page, complaints, foreign, [Symbol.asyncDispose]: () => page.close() }
}

/** The number of a total, as the page shows it. */
export async function total(page: Page, name: string): Promise<number> {
  const number = page.locator('.total', { has: page.getByText(name, { exact: true }) }).locator('dd')
  return Number((await number.textContent())?.replaceAll(',', ''))
}

export async function untilText(locator: Locator, pattern: RegExp): Promise<void> {
  let text = ''
  await until(
    async () => {
      text = (await locator.textContent()) ?? ''
      return pattern.test(text)
    },
    () => `${pattern}, got: ${text}`,
  )
}

/** Polls: a test that waited for ever would take the browser of all others with it. */
export async function until(isSo: () => Promise<boolean>, what = () => isSo.toString()): Promise<void> {
  const end = performance.now() + 10_000
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`Did not come: ${what()}`)
    await Bun.sleep(20)
  }
}
