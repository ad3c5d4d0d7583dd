/** SIGINT and SIGTERM: the first one asks for a clean end, the last one ends at once. */
import { exitCodes } from './failure.ts'

/** A signal that came. */
export interface Interruption extends Disposable {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal
  /** What the process exits with because of it; undefined while none came. */
  readonly exitCode: number | undefined
}

const codes = { SIGINT: exitCodes.interrupted, SIGTERM: exitCodes.terminated } as const

export interface SignalListeners {
  /** May print. */
  readonly onFirst?: (name: string) => void
  /** What the second one asks for; then it is the third that ends the process. Without it the second one does. */
  readonly onSecond?: () => void
}

/** Listens until it is disposed. */
export function listenForSignals({ onFirst, onSecond }: SignalListeners = {}): Interruption {
  const controller = new AbortController()
  const presses = new Presses()
  let exitCode: number | undefined
  const listen = (name: keyof typeof codes) => {
    switch (presses.press(performance.now())) {
      case 'same':
        return
      case 1:
        exitCode = codes[name]
        onFirst?.(name)
        controller.abort()
        return
      case 2:
        if (onSecond === undefined) process.exit(exitCode)
        onSecond()
        return
      default:
        process.exit(exitCode)
    }
  }
  const onInterrupt = () => listen('SIGINT')
  const onTerminate = () => listen('SIGTERM')
  process.on('SIGINT', onInterrupt)
  process.on('SIGTERM', onTerminate)
  return {
    signal: controller.signal,
    get exitCode() {
      return exitCode
    },
    [Symbol.dispose]: () => {
      process.off('SIGINT', onInterrupt)
      process.off('SIGTERM', onTerminate)
    },
  }
}

/** Nobody presses twice this fast. */
const samePressMs = 300

/**
 * Signals as the user meant them. One press of Ctrl-C can come twice: a terminal signals the whole process group, and
 * npm, which is in it, hands its own on.
 */
export class Presses {
  #count = 0
  #lastAt = Number.NEGATIVE_INFINITY

  /** Which press a signal is, from 1; `same`: the one before, come twice. */
  press(nowMs: number): number | 'same' {
    if (nowMs - this.#lastAt <= samePressMs) return 'same'
    this.#lastAt = nowMs
    this.#count += 1
    return this.#count
  }
}

/** Resolves with the first signal, at once when it has come. */
export async function untilInterrupted({ signal }: Interruption): Promise<void> {
  if (signal.aborted) return
  const { promise, resolve } = Promise.withResolvers<void>()
  signal.addEventListener('abort', () => resolve(), { once: true })
  await promise
}
