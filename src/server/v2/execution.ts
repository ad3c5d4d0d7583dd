/** One call that runs, or waits for its slot, whoever watches it. */
import type { CheckedCall } from '../calls.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { ToolResult } from '../tools/tool.ts'
import { LiveOutput } from './live-output.ts'

export type RunnableCall = Extract<CheckedCall, { kind: 'runnable' }>

/** Nothing of these ran: they are forgotten, so that the same id may come again. */
const notRunCodes: ReadonlySet<ToolResult['code']> = new Set([
  'server_stopping',
  'sandbox_failed',
  'ledger_failed',
])

export class Execution {
  readonly output = new LiveOutput()
  /** Its result as a line, when that is written down. Never rejects. */
  readonly result: Promise<string>
  readonly #ends = Promise.withResolvers<string>()
  readonly #cancel = new AbortController()
  /** `null`: it runs on, whoever has gone. */
  readonly #graceMs: number | null
  #watchers = 0
  #grace: ReturnType<typeof setTimeout> | null = null
  #isAbandoned = false
  #hasEnded = false
  #wasCancelled = false
  #isRecorded = false

  constructor(
    readonly id: string,
    /** The hash of what it does. */
    readonly body: Uint8Array,
    graceMs: number | null,
  ) {
    this.#graceMs = graceMs
    this.result = this.#ends.promise
  }

  /** Runs the call to its end, not before `durable` tells that its begin is written down. */
  async run(call: RunnableCall, ledger: Ledger, durable: Promise<void>): Promise<void> {
    const arrivedAt = performance.now()
    let queued = 0
    const result = await call.run({
      cancel: this.#cancel.signal,
      onOutput: (stream, piece) => this.output.push(stream, piece),
      beforeRun: async () => {
        queued = Math.round((performance.now() - arrivedAt) * 1000) / 1e6
        await durable
      },
    })
    const line = JSON.stringify(this.#told(result, queued))
    await this.#record(ledger, result, line)
    this.#hasEnded = true
    this.#wasCancelled = result.metadata.cancelled === true
    this.#stopGrace()
    this.#ends.resolve(line)
  }

  #told(result: ToolResult, queued: number): object {
    const told = { ...result, execution_id: this.id, metadata: { ...result.metadata, queued } }
    if (!this.#isAbandoned || result.metadata.cancelled !== true) return told
    const error = `${result.error}: its client had gone for ${(this.#graceMs ?? 0) / 1000} s`
    return { ...told, error }
  }

  async #record(ledger: Ledger, result: ToolResult, line: string): Promise<void> {
    try {
      if (notRunCodes.has(result.code)) ledger.forget(this.id)
      else {
        await ledger.finish(this.id, line)
        this.#isRecorded = true
      }
    } catch {
      // Nothing can be written any more. Who waits here is told; for others it stays without a result, and is not run.
    }
  }

  /** Whether its result is in the ledger. */
  get isRecorded(): boolean {
    return this.#isRecorded
  }

  /** Kills it, or takes it out of the line; resolves when it has ended: whether that was why. */
  async cancel(): Promise<boolean> {
    this.#cancel.abort()
    await this.result
    return this.#wasCancelled
  }

  attach(): void {
    this.#watchers += 1
    this.#stopGrace()
  }

  /** Its client has gone. Without any, it is given some time to come back. */
  detach(): void {
    this.#watchers -= 1
    if (this.#watchers > 0 || this.#hasEnded || this.#graceMs === null) return
    this.#grace = setTimeout(() => {
      this.#isAbandoned = true
      void this.cancel()
    }, this.#graceMs)
  }

  #stopGrace(): void {
    if (this.#grace !== null) clearTimeout(this.#grace)
    this.#grace = null
  }
}
