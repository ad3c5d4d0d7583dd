/** What goes between a test and the suite in another process. */
import * as v from 'valibot'
import type { SmokeReport } from './smoke.ts'
import type { SmokeSettings } from './smoke-room.ts'

const settings = v.object({
  addr: v.string(),
  firstSlot: v.number(),
  closedAddr: v.string(),
  sendsStreams: v.boolean(),
  lostPost: v.picklist(['not-run', 'unknown']),
})

const report = v.object({
  passed: v.array(v.string()),
  failed: v.array(v.object({ name: v.string(), message: v.string() })),
})

export function settingsFrom(json: string | undefined): SmokeSettings {
  return v.parse(settings, JSON.parse(json ?? 'null'))
}

export function reportFrom(json: string): SmokeReport {
  return v.parse(report, JSON.parse(json))
}
