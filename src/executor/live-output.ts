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

/** Tells each byte of output at most once, also when an answer was cut and is told again from an earlier offset. */
export class LiveOutput {
  readonly #listeners: Readonly<Record<LiveLine['stream'], OutputListener | undefined>>
  /** Bytes told, by stream. */
  readonly #told = { stdout: 0, stderr: 0 }

  constructor({ onStdout, onStderr }: OutputListeners) {
    this.#listeners = { stdout: guarded(onStdout), stderr: guarded(onStderr) }
  }

  tell({ stream, data, offset }: LiveLine): void {
    const bytes = new TextEncoder().encode(data)
    const known = Math.max(0, this.#told[stream] - offset)
    if (known >= bytes.byteLength) return
    this.#told[stream] = offset + bytes.byteLength
    const text = known === 0 ? data : new TextDecoder().decode(bytes.subarray(known))
    this.#listeners[stream]?.(text)
  }
}
