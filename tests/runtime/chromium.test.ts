import { test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import { reportFrom } from './settings.ts'
import { bundled, expectGreen, patience, settingsFor, startServer } from './support.ts'

const executablePath = '/usr/bin/chromium'

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

test.skipIf(!existsSync(executablePath))(
  'the core works in a page in Chromium',
  async () => {
    const script = await bundled(join(import.meta.dir, 'page.ts'))
    const site = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      routes: {
        '/': new Response('<!doctype html><script type="module" src="/page.js"></script>', html),
        '/page.js': new Response(script, { headers: { 'content-type': 'text/javascript' } }),
      },
    })
    const origin = site.url.origin
    let browser: Browser | undefined
    try {
      await using server = await startServer({ allowedOrigins: [origin] })
      browser = await chromium.launch({ executablePath, args, timeout: patience })
      const page = await browser.newPage()
      await page.goto(origin, { timeout: patience })
      const settings = JSON.stringify(await settingsFor(server, { lostPost: 'unknown', sendsStreams: false }))
      expectGreen(reportFrom(await page.evaluate(`runSmoke(${JSON.stringify(settings)})`)))
    } finally {
      await browser?.close()
      await site.stop(true)
    }
  },
  patience,
)

const html = { headers: { 'content-type': 'text/html' } }
