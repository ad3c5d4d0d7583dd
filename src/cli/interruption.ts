/** SIGINT and SIGTERM: the first one asks for a clean end, a second one ends at once. */
import { exitCodes } from './failure.ts'

/** A signal that came. */
export interface Interruption extends Disposable {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal
  /** What the process exits with because of it; undefined while none came. */
  readonly exitCode: number | undefined
}

/**
 * One press of Ctrl-C can come twice: a terminal signals the whole process group, and npm, which is in it, hands its
 * own on. Nobody presses twice this fast.
 */
const samePressMs = 300

const codes = { SIGINT: exitCodes.interrupted, SIGTERM: exitCodes.terminated } as const

/** Listens until it is disposed. `onFirst` may print. */
export function listenForSignals(onFirst: (name: string) => void = () => {}): Interruption {
  const controller = new AbortController()
  let exitCode: number | undefined
  let firstAt = 0
  const listen = (name: keyof typeof codes) => {
    if (exitCode === undefined) {
      exitCode = codes[name]
      firstAt = performance.now()
      onFirst(name)
      controller.abort()
    } else if (performance.now() - firstAt > samePressMs) {
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
