/** The terminal of a slot: from its start to its stop, through the calls in between. */
import type { Session } from '../sessions.ts'
import type { Terminal } from './terminal.ts'

export class TerminalSession implements Session {
  /** The one that was started last, though its shell may have ended; `null`: none was, or it was stopped. */
  terminal: Terminal | null = null

  async end(): Promise<void> {
    const { terminal } = this
    this.terminal = null
    await terminal?.close()
  }
}
