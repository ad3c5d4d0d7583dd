/** Calls that run once each, in memory: the same id attaches to what runs, or is given what was recorded. */
import type { ExtendedRequestBody, LiveLine } from '../../src/protocol/batch.ts'

/** What a call may do while it runs. */
export interface Running {
  print(stream: LiveLine['stream'], text: string): void
  /** Fires when somebody cancels the call. */
  readonly cancelled: AbortSignal
}

/** What a call answers. */
export interface Answer {
  readonly success?: boolean
  readonly output?: string
  readonly error?: string
  readonly metadata?: Readonly<Record<string, unknown>>
}

export type Run = (call: ExtendedRequestBody, running: Running) => Answer | Promise<Answer>

type ResultLine = Readonly<Record<string, unknown>>

interface Entry {
  readonly body: string
  readonly result: Promise<ResultLine>
  readonly controller: AbortController
  readonly printed: LiveLine[]
  readonly readers: Set<(line: LiveLine) => void>
  isEnded: boolean
}

export class MemoryLedger {
  /** The witness: how often each executionId has run. */
  readonly executions = new Map<string, number>()
  readonly #run: Run
  readonly #entries = new Map<string, Entry>()
  readonly #slots = new Map<string, Promise<unknown>>()
  /** Cancelled before they came. */
  readonly #barred = new Set<string>()

  constructor(run: Run) {
    this.#run = run
  }

  /** The result line of a call; `live` is told what it prints, from its beginning. */
  async execute(call: ExtendedRequestBody, live: (line: LiveLine) => void): Promise<ResultLine> {
    const { execution_id, slot_id, tool, args, timeout } = call
    const body = JSON.stringify([slot_id, tool, args, timeout])
    const known = this.#entries.get(execution_id)
    if (known !== undefined && known.body !== body) {
      return {
        success: false,
        error: `Another call has had the id ${execution_id}`,
        execution_id,
        code: 'execution_id_conflict',
      }
    }
    const wasEnded = known?.isEnded === true
    const entry = known ?? this.#start(call, body)
    for (const line of entry.printed) live(line)
    entry.readers.add(live)
    const result = await entry.result
    entry.readers.delete(live)
    return wasEnded ? { ...result, metadata: { ...Object(result.metadata), replayed: true } } : result
  }

  async cancel(
    ids: readonly string[],
  ): Promise<{ cancelled: string[]; finished: string[]; unknown: string[] }> {
    const answer = { cancelled: [] as string[], finished: [] as string[], unknown: [] as string[] }
    await Promise.all(
      ids.map(async (id) => {
        const entry = this.#entries.get(id)
        if (entry === undefined) {
          this.#barred.add(id)
          answer.unknown.push(id)
        } else if (entry.isEnded) answer.finished.push(id)
        else {
          entry.controller.abort()
          await entry.result
          answer.cancelled.push(id)
        }
      }),
    )
    return answer
  }

  #start(call: ExtendedRequestBody, body: string): Entry {
    const entry: Entry = {
      body,
      controller: new AbortController(),
      printed: [],
      readers: new Set(),
      isEnded: false,
      result: this.#inTurn(call, () => entry),
    }
    if (this.#barred.has(call.execution_id)) entry.controller.abort()
    this.#entries.set(call.execution_id, entry)
    return entry
  }

  /** One call at a time in a slot. */
  #inTurn(call: ExtendedRequestBody, entryOf: () => Entry): Promise<ResultLine> {
    const turn = (this.#slots.get(call.slot_id) ?? Promise.resolve()).then(() =>
      this.#execute(call, entryOf()),
    )
    this.#slots.set(call.slot_id, turn)
    return turn
  }

  async #execute(call: ExtendedRequestBody, entry: Entry): Promise<ResultLine> {
    const { execution_id } = call
    const cancelled = entry.controller.signal
    if (cancelled.aborted)
      return this.#end(entry, execution_id, {
        success: false,
        error: 'Cancelled',
        metadata: { cancelled: true },
      })
    this.executions.set(execution_id, (this.executions.get(execution_id) ?? 0) + 1)
    const offsets = { stdout: 0, stderr: 0 }
    const print: Running['print'] = (stream, data) => {
      const line = { execution_id, stream, data, offset: offsets[stream] }
      offsets[stream] += Buffer.byteLength(data)
      entry.printed.push(line)
      for (const tell of entry.readers) tell(line)
    }
    const answer = await this.#run(call, { print, cancelled })
    return this.#end(entry, execution_id, cancelled.aborted ? killed(answer) : answer)
  }

  #end(entry: Entry, execution_id: string, answer: Answer): ResultLine {
    entry.isEnded = true
    const { success = true, output = '', error = '', metadata = {} } = answer
    return { success, output, error, execution_id, metadata }
  }
}

function killed(answer: Answer): Answer {
  return { ...answer, success: false, error: 'Cancelled', metadata: { ...answer.metadata, cancelled: true } }
}
