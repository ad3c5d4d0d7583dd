/** What ends a command before it ends by itself. */

/** What may end a command before its time. */
export interface CommandSignals {
  /** The server stops. */
  readonly stop: AbortSignal
  /** The call was cancelled. */
  readonly cancel?: AbortSignal | undefined
}

export type AlarmCause = 'timed-out' | 'stopped' | 'cancelled'

/** The first thing that ends a command before it ends by itself. */
export class Alarm implements Disposable {
  readonly rings: Promise<AlarmCause>
  #hasRung = false
  readonly #forget: () => void

  constructor(timeoutMs: number, { stop, cancel }: CommandSignals) {
    const { promise, resolve } = Promise.withResolvers<AlarmCause>()
    this.rings = promise
    const ring = (cause: AlarmCause) => {
      this.#hasRung = true
      resolve(cause)
    }
    const timer = setTimeout(() => ring('timed-out'), timeoutMs)
    const onStop = () => ring('stopped')
    const onCancel = () => ring('cancelled')
    if (stop.aborted) onStop()
    if (cancel?.aborted === true) onCancel()
    stop.addEventListener('abort', onStop)
    cancel?.addEventListener('abort', onCancel)
    this.#forget = () => {
      clearTimeout(timer)
      stop.removeEventListener('abort', onStop)
      cancel?.removeEventListener('abort', onCancel)
    }
  }

  get hasRung(): boolean {
    return this.#hasRung
  }

  [Symbol.dispose](): void {
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
