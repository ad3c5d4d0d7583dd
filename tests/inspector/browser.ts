/** Chromium with the page in it, and what is measured there. */
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, chromium, type Locator, type Page } from 'playwright-core'

const executablePath = '/usr/bin/chromium'

export const hasChromium = existsSync(executablePath)

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

export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath, args })
}

/** A browser with one page that nobody debugs: telling a debugger of every frame would cost both sides time. */
export interface Viewer {
  /** Attaches a debugger for one question. */
  ask<T>(question: (page: Page) => Promise<T>): Promise<T>
  [Symbol.asyncDispose](): Promise<void>
}

export async function openViewer(url: string): Promise<Viewer> {
  const folder = await mkdtemp(join(tmpdir(), 'viewer-'))
  const flags = [...args, '--window-size=1280,900', '--remote-debugging-port=0', `--user-data-dir=${folder}`]
  const viewer = Bun.spawn([executablePath, ...flags, url], { stdout: 'ignore', stderr: 'ignore' })
  const portFile = join(folder, 'DevToolsActivePort')
  await until(async () => existsSync(portFile))
  const [port] = (await readFile(portFile, 'utf8')).split('\n')
  return {
    ask: async (question) => {
      const browser = await chromium.connectOverCDP(`http://127.0.0.1:${port}`)
      try {
        const page = browser.contexts()[0]?.pages()[0]
        if (page === undefined) throw new Error('The viewer has no page')
        return await question(page)
      } finally {
        await browser.close()
      }
    },
    [Symbol.asyncDispose]: async () => {
      viewer.kill()
      await viewer.exited
      // Its last child processes may still write there.
      do {
        await rm(folder, { recursive: true, force: true })
        await Bun.sleep(100)
      } while (existsSync(folder))
    },
  }
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
