/**
 * The answer to one `POST /v2/batch`: lines as calls end, and as they print. It begins with the first of them, and when
 * that is all, as with most calls, it is no stream, which would cost more. A stream is made as fast as its reader takes it:
 * what waits for a slow one is live output, which is dropped beyond a limit, and results, which are left in the ledger.
 */
import type { LiveLine } from '../../protocol/batch.ts'
import type { Execution } from './execution.ts'
import type { Submitted } from './executions.ts'
import type { LiveReader } from './live-output.ts'

/** Results of at most so many characters wait here; the others are read from the ledger when their turn comes. */
const MAX_WAITING = 1_048_576
/** So many characters, and one line more, are handed over at once. */
const PART = 65_536
/** So many parts, then the event loop has a turn. */
const PARTS_AT_ONCE = 8

export interface Recorded {
  /** The result as a line, told as a replay or not. */
  read(executionId: string, isReplay: boolean): string
}

/** An item whose result is there; `line` is `null` when the ledger has it. Not the execution, which holds its result. */
interface Ended {
  readonly executionId: string
  readonly line: string | null
  readonly isReplay: boolean
  readonly reader: LiveReader | null
}

/** An item whose call runs; `reader` is for its live output. */
interface Watch {
  readonly execution: Execution
  readonly reader: LiveReader | null
}

export class AnswerStream {
  readonly #recorded: Recorded
  readonly #ended: Ended[] = []
  readonly #watches = new Set<Watch>()
  readonly #encoder = new TextEncoder()
  readonly #count: number
  #left: number
  #waiting = 0
  #parts = 0
  #isLeft = false
  #wake: (() => void) | null = null

  /** `canBeLive`: whether output is told as it is printed, to those who want it. */
  constructor(submitted: readonly Submitted[], recorded: Recorded, canBeLive: boolean) {
    this.#recorded = recorded
    this.#count = submitted.length
    this.#left = submitted.length
    for (const one of submitted) this.#add(one, canBeLive)
  }

  /** When there is something to tell; Bun sends nothing of a stream before that either. */
  async body(): Promise<string | ReadableStream<Uint8Array>> {
    const first = await this.#next()
    if (this.#left === 0 || this.#isLeft) return first
    return new ReadableStream(
      {
        start: (controller) => controller.enqueue(this.#encoder.encode(first)),
        pull: (controller) => this.#pull(controller),
        cancel: () => this.leave(),
      },
      { highWaterMark: 0 },
    )
  }

  #add(one: Submitted, canBeLive: boolean): void {
    switch (one.kind) {
      case 'answered':
        this.#ended.push({ executionId: '', line: one.line, isReplay: false, reader: null })
        return
      case 'recorded':
        this.#ended.push({ executionId: one.executionId, line: null, isReplay: true, reader: null })
        return
      case 'running':
        this.#watch(one.execution, one.live && canBeLive)
    }
  }

  #watch(execution: Execution, isLive: boolean): void {
    const reader = isLive ? execution.output.read(() => this.#changed()) : null
    const watch = { execution, reader }
    this.#watches.add(watch)
    execution.attach()
    void execution.result.then((line) => {
      if (!this.#watches.delete(watch)) return
      const isKept = this.#waiting + line.length <= MAX_WAITING || !execution.isRecorded
      if (isKept) this.#waiting += line.length
      this.#ended.push({ executionId: execution.id, line: isKept ? line : null, isReplay: false, reader })
      this.#changed()
    })
  }

  #changed(): void {
    this.#wake?.()
    this.#wake = null
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    const text = await this.#next()
    if (this.#isLeft) return
    controller.enqueue(this.#encoder.encode(text))
    if (this.#left === 0) controller.close()
  }

  /** What there is to tell, when there is something; nothing when the reader has gone. */
  async #next(): Promise<string> {
    // A reader who takes all that a chatty command prints must not keep others waiting.
    if (this.#parts === PARTS_AT_ONCE) {
      await new Promise(setImmediate)
      this.#parts = 0
    }
    this.#parts += 1
    let text = this.#take()
    while (text === '' && !this.#isLeft) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      text = this.#take()
    }
    return text
  }

  /** What there is to tell now, up to a part. */
  #take(): string {
    const lines: string[] = []
    let size = 0
    const add = (line: string) => {
      lines.push(line, '\n')
      size += line.length
    }
    for (const watch of this.#watches) {
      if (size >= PART) break
      for (const line of liveLines(watch.execution.id, watch.reader, false)) add(line)
    }
    while (size < PART) {
      const ended = this.#ended.shift()
      if (ended === undefined) break
      for (const line of liveLines(ended.executionId, ended.reader, true)) add(line)
      if (ended.line !== null) this.#waiting -= ended.line.length
      add(ended.line ?? this.#recorded.read(ended.executionId, ended.isReplay))
      this.#left -= 1
    }
    if (this.#left === 0) add(JSON.stringify({ done: true, count: this.#count }))
    return lines.join('')
  }

  /** The reader has gone. */
  leave(): void {
    for (const { execution, reader } of this.#watches) {
      execution.detach()
      if (reader !== null) execution.output.leave(reader)
    }
    this.#watches.clear()
    this.#ended.length = 0
    this.#isLeft = true
    this.#changed()
  }
}

function liveLines(executionId: string, reader: LiveReader | null, isLast: boolean): string[] {
  if (reader === null) return []
  return reader.take(isLast).map((piece) => {
    const line: LiveLine = { execution_id: executionId, ...piece }
    return JSON.stringify(line)
  })
}
