/** SIGINT and SIGTERM: the first one asks for a clean end, a second one ends at once. */
import { exitCodes } from './failure.ts'

/** A signal that came. */
export interface Interruption extends Disposable {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal
  /** What the process exits with because of it; undefined while none came. */
  readonly exitCode: number | undefined
}

const codes = { SIGINT: exitCodes.interrupted, SIGTERM: exitCodes.terminated } as const

/** Listens until it is disposed. `onFirst` may print. */
export function listenForSignals(onFirst: (name: string) => void = () => {}): Interruption {
  const controller = new AbortController()
  const presses = new Presses()
  let exitCode: number | undefined
  const listen = (name: keyof typeof codes) => {
    const press = presses.press(performance.now())
    if (press === 'first') {
      exitCode = codes[name]
      onFirst(name)
      controller.abort()
    } else if (press === 'again') {
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
  #firstAt: number | undefined

  press(nowMs: number): 'first' | 'same' | 'again' {
    if (this.#firstAt !== undefined) return nowMs - this.#firstAt > samePressMs ? 'again' : 'same'
    this.#firstAt = nowMs
    return 'first'
  }
}

/** Resolves with the first signal, at once when it has come. */
export async function untilInterrupted({ signal }: Interruption): Promise<void> {
  if (signal.aborted) return
  const { promise, resolve } = Promise.withResolvers<void>()
  signal.addEventListener('abort', () => resolve(), { once: true })
  await promise
}
