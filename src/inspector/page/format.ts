/** Numbers, times and calls in words. Pure. */
import * as v from 'valibot'
import type { TraceRecord } from '../records.ts'
import type { LiveActor, SystemState } from '../system-state.ts'
import type { CallEntry } from './recording.ts'

const whole = new Intl.NumberFormat('en-US')

export function count(value: number): string {
  return whole.format(value)
}

/** A length of time. */
export function duration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(2)} ms`
  if (ms < 1_000) return `${ms.toFixed(1)} ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(2)} s`
  const seconds = Math.floor(ms / 1_000)
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`
}

/** A moment of the recording. */
export function moment(ms: number): string {
  const minutes = Math.floor(ms / 60_000)
  const seconds = ((ms % 60_000) / 1_000).toFixed(3).padStart(6, '0')
  return `${minutes}:${seconds}`
}

/** The container and the slot in an actor's id. */
export function placeOf({ id, chart }: { readonly id: string; readonly chart: string }): {
  container: string
  slot: string
} {
  if (chart !== 'slot') return { container: id, slot: '' }
  const at = id.lastIndexOf('/')
  return { container: id.slice(0, at), slot: id.slice(at + 1) }
}

/** `http://` says nothing here. */
export function shortContainer(container: string): string {
  return container.replace(/^http:\/\//, '')
}

export function actorName(actor: LiveActor | undefined): string {
  if (actor === undefined) return '?'
  const { container, slot } = placeOf(actor)
  return slot === '' ? shortContainer(container) : `${slot} @ ${shortContainer(container)}`
}

const request = v.object({
  tool: v.optional(v.string()),
  args: v.optional(v.record(v.string(), v.unknown())),
})

/** What a call asks for: its tool, and the argument that tells most. */
export function callText({ body, route }: Pick<CallEntry, 'body' | 'route'>): { tool: string; text: string } {
  if (route !== '' && route !== '/execute') return { tool: route.slice(1), text: pathIn(body) }
  const parsed = v.safeParse(request, jsonOf(body))
  if (!parsed.success) return { tool: /"tool":"([^"]*)"/.exec(body)?.[1] ?? 'call', text: argsText(body) }
  const { tool = 'call', args = {} } = parsed.output
  const main = args.command ?? args.path
  if (typeof main !== 'string') return { tool, text: JSON.stringify(args) }
  return { tool, text: main }
}

/** `intake.idle wire.posting link.up` as `idle · posting · up`: regions are known by what they hold. */
export function shortState(state: string): string {
  const leaves = state.split(' ')
  return leaves.length === 1 ? state : leaves.map((leaf) => leaf.slice(leaf.indexOf('.') + 1)).join(' · ')
}

/** A record in a few words. */
export function recordText(record: TraceRecord, state: SystemState): string {
  switch (record.kind) {
    case 'actor':
      return `begins in ${record.state}`
    case 'state':
      return `now at #${count(record.n)}: steps between were too many to show one by one`
    case 'step':
      return stepText(record, state)
  }
}

function stepText(record: Extract<TraceRecord, { kind: 'step' }>, _state: SystemState): string {
  const { call, ended, next, posts, refused, trajectoryId, told, edges, stopped } = record
  const parts: string[] = []
  if (stopped) parts.push('stopped')
  else if (edges.length === 0) parts.push('ignored')
  if (trajectoryId !== undefined && trajectoryId !== null) parts.push(trajectoryId)
  if (told !== undefined) {
    const { type, container, to } = told
    const words = [type, container === undefined ? undefined : shortContainer(container), to]
    parts.push(words.filter((word) => word !== undefined).join(' '))
  }
  if (call !== undefined) {
    const { tool, text } = callText(call)
    parts.push(`${tool} ${text}`)
  }
  if (ended !== undefined) parts.push(endingText(ended))
  if (next !== undefined) parts.push(`next ${shortId(next)}`)
  if (refused !== undefined) parts.push(`${refused.length} refused`)
  if (posts !== undefined && posts.length > 0) {
    parts.push(
      `${posts.length === 1 ? '1 post' : `${posts.length} posts`} of ${posts.map((ids) => ids.length).join(', ')}`,
    )
  }
  return parts.join(' · ')
}

/** How a call ended, in two words. */
export function endingText(ended: {
  readonly outcome: string
  readonly success: boolean
  readonly exitCode?: number
  readonly error?: string
}): string {
  if (ended.outcome !== 'exited') return ended.outcome
  if (ended.success) return 'exited, ok'
  return ended.exitCode === undefined ? 'exited, failed' : `exited, code ${ended.exitCode}`
}

export function shortId(executionId: string): string {
  return executionId.length > 13 ? `${executionId.slice(0, 12)}…` : executionId
}

function pathIn(body: string): string {
  const parsed = v.safeParse(v.object({ path: v.string() }), jsonOf(body))
  return parsed.success ? parsed.output.path : ''
}

/** The arguments in the text of a request that was cut. */
function argsText(body: string): string {
  const at = body.indexOf('"args":')
  const text = at < 0 ? body : body.slice(at + 7)
  const main = /"(?:command|path)":"((?:[^"\\]|\\.)*)/.exec(text)?.[1]
  return main === undefined ? text : main.replace(/\\n/g, '\n').replace(/\\(["\\])/g, '$1')
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
