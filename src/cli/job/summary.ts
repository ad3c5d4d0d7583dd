/** What a job came to. Pure. */
import type { SandboxEvent } from '../../executor/events.ts'
import type { Outcome } from '../../executor/results.ts'
import { type Cell, formatTable } from '../table.ts'
import { ran } from './records.ts'

/** How one call ended, as far as a summary asks. */
export interface Ended {
  readonly success: boolean
  readonly outcome: Outcome
}

export interface OutcomeCounts {
  readonly calls: number
  readonly succeeded: number
  readonly failed: number
}

/** Times are seconds, as in the files. */
export interface Summary {
  /** Calls of the whole job. */
  readonly calls: number
  readonly trajectories: number
  readonly succeeded: number
  readonly failed: number
  readonly outcomes: Readonly<Record<Outcome, OutcomeCounts>>
  /** Calls whose result was there before, from a run that was resumed. */
  readonly from_before: number
  /** Calls without a result: the job was interrupted. */
  readonly without_result: number
  readonly containers: number
  readonly slots: number
  /** POSTs with tool calls; resets have their own. */
  readonly posts: number
  readonly calls_per_post: number | null
  readonly resets: number
  /** Of the calls that ran, from the call to its result. */
  readonly duration_s: { readonly p50: number | null; readonly p95: number | null }
  /** From the first call to the last result. */
  readonly elapsed_s: number
}

/** What was seen of the posts. */
export class PostCounter {
  posts = 0
  postedCalls = 0
  resets = 0

  /** For `onEvent`. */
  count(event: SandboxEvent): void {
    if (event.type !== 'post.started') return
    if (event.route === '/reset') {
      this.resets += 1
    } else {
      this.posts += 1
      this.postedCalls += event.calls
    }
  }
}

export interface SummaryParts {
  readonly calls: number
  readonly trajectories: number
  readonly before: readonly Ended[]
  readonly now: readonly (Ended & { readonly duration_s: number })[]
  readonly containers: number
  readonly slots: number
  readonly counter: Readonly<Pick<PostCounter, 'posts' | 'postedCalls' | 'resets'>>
  readonly elapsedMs: number
}

const allOutcomes: readonly Outcome[] = ['exited', 'timed-out', 'cancelled', 'not-run', 'unknown']

export function summarise(parts: SummaryParts): Summary {
  const { calls, trajectories, before, now, containers, slots, counter } = parts
  const all: Ended[] = [...before, ...now]
  const durations = now.filter(({ outcome }) => ran(outcome)).map(({ duration_s }) => duration_s)
  const total = countsOf(all)
  return {
    calls,
    trajectories,
    succeeded: total.succeeded,
    failed: total.failed,
    outcomes: {
      exited: countsOf(all, 'exited'),
      'timed-out': countsOf(all, 'timed-out'),
      cancelled: countsOf(all, 'cancelled'),
      'not-run': countsOf(all, 'not-run'),
      unknown: countsOf(all, 'unknown'),
    },
    from_before: before.length,
    without_result: calls - all.length,
    containers,
    slots,
    posts: counter.posts,
    calls_per_post: counter.posts === 0 ? null : rounded(counter.postedCalls / counter.posts, 2),
    resets: counter.resets,
    duration_s: { p50: percentile(durations, 0.5), p95: percentile(durations, 0.95) },
    elapsed_s: rounded(parts.elapsedMs / 1000, 3),
  }
}

function countsOf(all: readonly Ended[], outcome?: Outcome): OutcomeCounts {
  const ended = all.filter((one) => outcome === undefined || one.outcome === outcome)
  const succeeded = ended.filter(({ success }) => success).length
  return { calls: ended.length, succeeded, failed: ended.length - succeeded }
}

/** The smallest value that at least this share of the values does not exceed. */
export function percentile(values: readonly number[], share: number): number | null {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? null
}

/** Whether every call of the job ran to an end that a server told. */
export function allRan({ calls, outcomes }: Summary): boolean {
  return outcomes.exited.calls + outcomes['timed-out'].calls === calls
}

/** The table at the end of a run. */
export function formatSummary(summary: Summary): string {
  const outcomes = allOutcomes
    .filter((outcome) => outcome === 'exited' || summary.outcomes[outcome].calls > 0)
    .map((outcome) => outcomeRow(outcome, summary.outcomes[outcome]))
  const { succeeded, failed, from_before, without_result } = summary
  const rows: Cell[][] = [
    ['outcome', 'calls', 'succeeded', 'failed'],
    ...outcomes,
    outcomeRow('all', { calls: succeeded + failed, succeeded, failed }),
  ]
  const facts: Cell[][] = [
    ...(without_result > 0 ? [['without result', `${without_result} of ${summary.calls} calls`]] : []),
    ...(from_before > 0 ? [['from before', `${from_before} of ${summary.calls} calls`]] : []),
    ['trajectories', `${summary.trajectories} in ${slotsOf(summary)}`],
    ['posts', `${summary.posts} (and ${counted(summary.resets, 'reset')})`],
    ['calls per post', summary.calls_per_post?.toFixed(2) ?? '–'],
    ['duration p50', seconds(summary.duration_s.p50)],
    ['duration p95', seconds(summary.duration_s.p95)],
    ['first call to last result', seconds(summary.elapsed_s)],
  ]
  return `${formatTable(alignHeader(rows))}\n\n${formatTable(facts)}`
}

function outcomeRow(name: string, { calls, succeeded, failed }: OutcomeCounts): Cell[] {
  return [name, calls, succeeded, failed]
}

/** Heads of number columns stand over their numbers' ends. */
function alignHeader(rows: readonly Cell[][]): Cell[][] {
  return rows.map((row, index) =>
    row.map((cell, column) => {
      if (index > 0 || column === 0) return cell
      const width = Math.max(...rows.map((other) => String(other[column]).length))
      return String(cell).padStart(width)
    }),
  )
}

function slotsOf({ slots, containers }: Summary): string {
  return containers > 1 ? `${counted(slots, 'slot')} of ${containers} containers` : counted(slots, 'slot')
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function seconds(value: number | null): string {
  return value === null ? '–' : `${value.toFixed(3)} s`
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
