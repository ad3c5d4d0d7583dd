/** How far a job is, on stderr: a bar on a terminal, plain lines elsewhere. */
import { SingleBar } from 'cli-progress'
import { note } from '../print.ts'

export interface Progress {
  start(): void
  /** One more call has ended. */
  ended(success: boolean): void
  /** Prints a line, beside the bar if there is one. */
  say(line: string): void
  stop(): void
}

/** A bar where there is a terminal that nothing else writes lines to. */
export function createProgress(total: number, wantsLines: boolean): Progress {
  return process.stderr.isTTY === true && !wantsLines ? barProgress(total) : lineProgress(total)
}

function barProgress(total: number): Progress {
  const bar = new SingleBar({
    format: '{bar} {value}/{total} calls  {failed} failed  {duration_formatted}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 30,
    hideCursor: true,
    // Signals are ours: the bar would end the process.
    gracefulExit: false,
  })
  let failed = 0
  return {
    start: () => bar.start(total, 0, { failed }),
    ended: (success) => {
      if (!success) failed += 1
      bar.increment(1, { failed })
    },
    say: (line) => {
      process.stderr.write(`\r\x1b[K${line}\n`)
      bar.updateETA()
    },
    stop: () => bar.stop(),
  }
}

function lineProgress(total: number): Progress {
  const counter = new TenthCounter(total)
  return {
    start: () => {},
    ended: (success) => {
      const line = counter.ended(success)
      if (line !== undefined) note(line)
    },
    say: (line) => note(line),
    stop: () => {},
  }
}

/** A line for each tenth of the calls: a log is not flooded. */
export class TenthCounter {
  readonly #total: number
  #ended = 0
  #failed = 0

  constructor(total: number) {
    this.#total = total
  }

  /** The line to print, if this call completes a tenth. */
  ended(success: boolean): string | undefined {
    const before = this.#tenths()
    this.#ended += 1
    if (!success) this.#failed += 1
    if (this.#tenths() === before) return undefined
    const failed = this.#failed === 0 ? '' : `, ${this.#failed} failed`
    return `${this.#ended} of ${this.#total} calls ended${failed}`
  }

  #tenths(): number {
    return Math.floor((this.#ended * 10) / this.#total)
  }
}
