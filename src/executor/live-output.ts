/** Floor 3: a running call's output, given to its listeners piece by piece. Browser compatible. */

import type { LiveLine } from '../protocol/batch.ts'
import { guarded } from './guarded.ts'

/** Takes output as it is printed. */
export type OutputListener = (text: string) => void

/** Who listens to a call's output. */
export interface OutputListeners {
  readonly onStdout?: OutputListener | undefined
  readonly onStderr?: OutputListener | undefined
}

/** Tells each piece once, also when an answer was cut and the same pieces are told again. */
export class LiveOutput {
  readonly #listeners: Readonly<Record<LiveLine['stream'], OutputListener | undefined>>
  /** Where the last piece began, by stream: how long it was its text does not say, when it was no UTF-8. */
  readonly #told = { stdout: -1, stderr: -1 }

  constructor({ onStdout, onStderr }: OutputListeners) {
    this.#listeners = { stdout: guarded(onStdout), stderr: guarded(onStderr) }
  }

  tell({ stream, data, offset }: LiveLine): void {
    if (offset <= this.#told[stream]) return
    this.#told[stream] = offset
    this.#listeners[stream]?.(data)
  }
}
