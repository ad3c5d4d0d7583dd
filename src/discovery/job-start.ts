/** Floor 2: how the start of a job goes, seen from its allocations and its evaluation. Browser compatible. */
import * as v from 'valibot'
import { type Allocation, addressOf, type TaskState } from './nomad-allocations.ts'

/** How it goes. */
export type Start =
  /** Servers run at these addresses; whether they answer is another matter. */
  | { readonly kind: 'running'; readonly addrs: readonly string[] }
  /** Nothing runs, nothing will soon. */
  | {
      readonly kind: 'failed'
      readonly allocId: string
      readonly reason: string
      readonly events: readonly string[]
    }
  /** `last` is the last thing that happened, if anything did. */
  | { readonly kind: 'waiting'; readonly last?: string }

/** A server that ended this often was not started by mistake only. */
const crashLoop = 2

/** Events that tell the course of things, not why they went wrong. */
const routine: ReadonlySet<string> = new Set([
  'Received',
  'Task Setup',
  'Started',
  'Restarting',
  'Not Restarting',
  'Alloc Unhealthy',
  'Killing',
  'Killed',
  'Restart Signaled',
])

/** How the start goes by the allocations of one version of the job. */
export function startOf(found: readonly Allocation[], portLabel: string): Start {
  const failed = found.filter(hasFailed)
  const hopeful = found.filter((each) => !hasFailed(each) && each.DesiredStatus === 'run' && isLive(each))
  const running = hopeful.filter(({ ClientStatus }) => ClientStatus === 'running')
  const addrs = running.flatMap(({ AllocatedResources: allocated }) =>
    allocated ? (addressOf(allocated, portLabel) ?? []) : [],
  )
  if (addrs.length > 0) return { kind: 'running', addrs }
  const [worst] = failed
  if (worst !== undefined && hopeful.length === 0) return failure(worst)
  const last =
    running.length > 0 ? `It runs without a port labelled ${portLabel}` : hopeful.flatMap(eventsOf).at(-1)
  return { kind: 'waiting', ...(last !== undefined && { last }) }
}

function isLive({ ClientStatus }: Allocation): boolean {
  return ClientStatus === 'pending' || ClientStatus === 'running'
}

function hasFailed(each: Allocation): boolean {
  const tasks = tasksOf(each)
  return (
    each.ClientStatus === 'failed' ||
    each.ClientStatus === 'lost' ||
    tasks.some(({ Failed, Restarts }) => Failed === true || (Restarts ?? 0) >= crashLoop)
  )
}

function failure(each: Allocation): Start {
  const events = eventsOf(each)
  const telling = events.findLast((event) => !routine.has(event.split(':', 1)[0] ?? ''))
  const restarts = Math.max(0, ...tasksOf(each).map(({ Restarts }) => Restarts ?? 0))
  const again = restarts === 0 ? '' : ` (started again ${restarts} ${restarts === 1 ? 'time' : 'times'})`
  const reason = telling ?? events.at(-1) ?? (each.ClientDescription || `it is ${each.ClientStatus}`)
  return { kind: 'failed', allocId: each.ID, reason: `${reason}${again}`, events }
}

/** The events of all tasks, as `Type: message`. */
function eventsOf(each: Allocation): string[] {
  return tasksOf(each).flatMap(({ Events }) =>
    (Events ?? []).map(({ Type, DisplayMessage, Message }) => {
      const message = DisplayMessage || Message
      return message ? `${Type}: ${message}` : `${Type}`
    }),
  )
}

function tasksOf({ TaskStates }: Allocation): TaskState[] {
  return Object.values(TaskStates ?? {})
}

const counts = v.nullish(v.record(v.string(), v.number()), {})

/** The part of `GET /v1/evaluation/{id}` that says why nothing was placed. */
export const evaluation = v.object({
  Status: v.nullish(v.string(), ''),
  StatusDescription: v.nullish(v.string(), ''),
  FailedTGAllocs: v.nullish(
    v.record(
      v.string(),
      v.object({
        NodesEvaluated: v.nullish(v.number(), 0),
        ConstraintFiltered: counts,
        DimensionExhausted: counts,
      }),
    ),
    {},
  ),
})

/** Why there is no place for a group; undefined when there is, or when it is not decided yet. */
export function noPlace(
  { Status, StatusDescription, FailedTGAllocs }: v.InferOutput<typeof evaluation>,
  group: string,
): string | undefined {
  if (Status === 'failed') return `its evaluation failed: ${StatusDescription || 'no reason given'}`
  const metrics = FailedTGAllocs?.[group]
  if (metrics === undefined) return undefined
  const filtered = Object.entries(metrics.ConstraintFiltered ?? {}).map(
    ([why, nodes]) => `${why} on ${nodes}`,
  )
  const exhausted = Object.entries(metrics.DimensionExhausted ?? {}).map(
    ([what, nodes]) => `${what} exhausted on ${nodes}`,
  )
  const reasons = [...filtered, ...exhausted].join(', ') || 'no node is eligible'
  return `there is no place for it: ${reasons} (nodes evaluated: ${metrics.NodesEvaluated})`
}
