import { test } from 'bun:test'
import { join } from 'node:path'
import { Miniflare } from 'miniflare'
import { reportFrom } from './settings.ts'
import { bundled, expectGreen, patience, settingsFor, startServer } from './support.ts'

test(
  'the core works in workerd',
  async () => {
    await using server = await startServer()
    const script = await bundled(join(import.meta.dir, 'workerd.ts'))
    const worker = new Miniflare({ modules: true, script, compatibilityDate: '2026-01-01' })
    try {
      const url = await worker.ready
      const body = JSON.stringify(await settingsFor(server, { lostPost: 'unknown' }))
      const answer = await fetch(url, { method: 'POST', body })
      expectGreen(reportFrom(await answer.text()))
    } finally {
      await worker.dispose()
    }
  },
  patience,
)
