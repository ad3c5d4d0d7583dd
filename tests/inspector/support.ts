/** A small job with everything in it, in memory, and what it is looked at with. */
import { createMemoryTransport, SandboxExecutor, type SandboxExecutorOptions } from '../../mod.ts'
import { History } from '../../src/inspector/history.ts'
import { readTrace, type Trace } from '../../src/inspector/read-trace.ts'
import { Recorder } from '../../src/inspector/recorder.ts'
import type { StepRecord } from '../../src/inspector/records.ts'
import type { SystemState } from '../../src/inspector/system-state.ts'

type Inspect = NonNullable<SandboxExecutorOptions['inspect']>

interface ReceivedCall {
  readonly tool?: string
  readonly args?: { readonly command?: string }
  readonly execution_id?: string
}

/** An executor whose container answers at once; a command `exit N` exits with N. */
export function executorWith(
  inspect: Inspect,
  answer = answerOf,
  options: SandboxExecutorOptions = {},
): SandboxExecutor {
  const transport = createMemoryTransport(async (request) => {
    if (request.method === 'GET') return Response.json({ status: 'ok' })
    const body: ReceivedCall | ReceivedCall[] = await request.json()
    return Response.json(Array.isArray(body) ? await Promise.all(body.map(answer)) : await answer(body))
  })
  return new SandboxExecutor({ transport, inspect, ...options })
}

export function answerOf(call: ReceivedCall): object | Promise<object> {
  const command = call.args?.command ?? ''
  const code = Number(/exit (\d+)/.exec(command)?.[1] ?? 0)
  return {
    success: code === 0,
    output: `ran ${command}`,
    error: code === 0 ? '' : `Command failed with exit code ${code}`,
    execution_id: call.execution_id ?? null,
    metadata: { exit_code: code, duration: 0.004 },
  }
}

/** Leases, calls side by side and behind each other, a failure, resets: 8 calls, 2 resets, in two slots. */
export async function runSmallJob(
  executor: SandboxExecutor,
  container = 'http://127.0.0.1:4000',
): Promise<void> {
  const slots = executor.slots(container, 2)
  await Promise.all(
    slots.map(async (slot, index) => {
      slot.acquire(`trajectory-${index}`)
      await Promise.all([
        slot.writeFile('greeting.txt', 'hello'),
        slot.bash('cat greeting.txt'),
        slot.bash('exit 3'),
        slot.bash(`echo ${index}`),
      ])
      slot.release()
      await slot.reset()
    }),
  )
}

/** A recorder whose clock counts its questions. */
export function recorderWith(limits = { maxRecords: 10_000, maxBytes: 10_000_000 }): Recorder {
  let ms = 0
  return new Recorder(limits, () => {
    ms += 1
    return ms
  })
}

/** The present, folded from what is kept. */
export function presentOf(history: History): SystemState {
  const state = history.base.copy()
  for (const record of history.slice()) state.apply(record)
  return state
}

export function stepsOf({ records }: Pick<Trace, 'records'>): StepRecord[] {
  return records.flatMap((record) => (record.kind === 'step' ? [record] : []))
}

/** The trace that an inspector gives away. */
export async function traceAt(url: string): Promise<Trace> {
  const response = await fetch(new URL('/trace.jsonl', url))
  return readTrace(await response.text())
}

/** A history of synthetic steps of one slot. */
export function historyOf(steps: readonly StepRecord[]): History {
  const history = new History({ maxRecords: 10_000, maxBytes: 10_000_000 })
  for (const step of steps) history.push(step, 200)
  return history
}
