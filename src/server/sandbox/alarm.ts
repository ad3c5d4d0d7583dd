/** What ends a command before it ends by itself. */

/** What may end a command before its time. */
export interface CommandSignals {
  /** The server stops. */
  readonly stop: AbortSignal
  /** The call was cancelled. */
  readonly cancel?: AbortSignal | undefined
}

/** What a command may take. */
export interface CommandTime {
  /** From its beginning. */
  readonly timeoutMs: number
  /** Until it begins: for its sandbox. Default: 4,000; a client waits 5 s longer than its call may take. */
  readonly startMs?: number | undefined
}

const START_MS = 4_000

export type AlarmCause = 'timed-out' | 'stopped' | 'cancelled'

/** The first thing that ends a command before it ends by itself. */
export class Alarm implements Disposable {
  readonly rings: Promise<AlarmCause>
  readonly #timeoutMs: number
  readonly #resolve: (cause: AlarmCause) => void
  readonly #forget: () => void
  #timer: ReturnType<typeof setTimeout>
  #hasRung = false

  constructor({ timeoutMs, startMs = START_MS }: CommandTime, { stop, cancel }: CommandSignals) {
    const { promise, resolve } = Promise.withResolvers<AlarmCause>()
    this.rings = promise
    this.#timeoutMs = timeoutMs
    this.#resolve = resolve
    this.#timer = this.#ringIn(startMs)
    const onStop = () => this.#ring('stopped')
    const onCancel = () => this.#ring('cancelled')
    if (stop.aborted) onStop()
    if (cancel?.aborted === true) onCancel()
    stop.addEventListener('abort', onStop)
    cancel?.addEventListener('abort', onCancel)
    this.#forget = () => {
      stop.removeEventListener('abort', onStop)
      cancel?.removeEventListener('abort', onCancel)
    }
  }

  /** The command begins now: from now on it is its own time that passes. */
  begin(): void {
    clearTimeout(this.#timer)
    this.#timer = this.#ringIn(this.#timeoutMs)
  }

  get hasRung(): boolean {
    return this.#hasRung
  }

  #ringIn(ms: number): ReturnType<typeof setTimeout> {
    return setTimeout(() => this.#ring('timed-out'), ms)
  }

  #ring(cause: AlarmCause): void {
    this.#hasRung = true
    this.#resolve(cause)
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    this.#forget()
  }
}

/** Whether `promise` settles in time. */
export async function settlesWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => resolve(false), ms)
  const result = await Promise.race([promise.then(() => true), late])
  clearTimeout(timer)
  return result
}
