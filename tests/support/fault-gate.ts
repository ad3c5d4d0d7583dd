/** One direction of a proxied connection: lets bytes through, and lets faults strike at their offsets. */
import type { BendingFault, EndingFault, Fault } from './fault-plan.ts'

/** What a gate needs of its connection. */
export interface GateOwner {
  /** Passes bytes on; resolves when they are written. */
  write(bytes: Uint8Array): Promise<void>
  /** Pauses; ends early when the connection does. */
  sleep(ms: number): Promise<void>
  struck(fault: Fault): void
  end(kind: EndingFault['kind']): void
  /** Nothing passes any more. */
  readonly isOver: boolean
}

interface Armed {
  readonly fault: Fault
  /** Offset in this direction's stream; Infinity until the end of the request is known. */
  from: number
  /** Of one message: the next one is not concerned. */
  readonly isOfMessage: boolean
  /** At the message's first byte: it must have come. */
  readonly isAtStart: boolean
  hasStruck: boolean
}

export class FaultGate {
  readonly #owner: GateOwner
  #armed: Armed[] = []
  /** Bytes of the source that were dealt with. */
  #offset = 0

  constructor(owner: GateOwner) {
    this.#owner = owner
  }

  /** Faults from here on, counted from here: of this message, or of the whole connection. */
  arm(faults: readonly Fault[], isOfMessage: boolean): void {
    for (const fault of faults) {
      const at = 'at' in fault ? (fault.at ?? 0) : 0
      const from = at === 'end' ? Infinity : this.#offset + at
      this.#armed.push({ fault, from, isOfMessage, isAtStart: at === 0, hasStruck: false })
    }
    this.#armed.sort((one, other) => one.from - other.from)
  }

  /** A message is over: what was armed for its end strikes. */
  async endMessage(): Promise<void> {
    for (const armed of this.#armed) if (armed.from === Infinity) armed.from = this.#offset
    await this.#strike(false)
  }

  /** The next message begins: the last one's faults are over. */
  disarm(): void {
    this.#armed = this.#armed.filter(({ isOfMessage }) => !isOfMessage)
  }

  /** Lets these bytes through; tells when the last of them has passed. */
  async push(bytes: Uint8Array, passed?: () => void): Promise<void> {
    let rest = bytes
    while (rest.length > 0 && !this.#owner.isOver) {
      await this.#strike(true)
      if (this.#owner.isOver) return
      const span = this.#spanHere()
      const size = Math.min(rest.length, this.#nextBoundary(span) - this.#offset)
      const part = rest.subarray(0, size)
      const start = this.#offset
      this.#offset += size
      rest = rest.subarray(size)
      await this.#pass(part, span, start)
    }
    if (this.#owner.isOver) return
    passed?.()
    await this.#strike(false)
  }

  /** The faults of a moment that are due: those before a first byte only when it has come. */
  async #strike(hasByte: boolean): Promise<void> {
    for (const armed of this.#armed) {
      if (armed.hasStruck || armed.from > this.#offset || (armed.isAtStart && !hasByte)) continue
      armed.hasStruck = true
      this.#owner.struck(armed.fault)
      if (armed.fault.kind === 'delay') await this.#owner.sleep(armed.fault.ms)
      else if (isEnding(armed.fault)) this.#owner.end(armed.fault.kind)
      if (this.#owner.isOver) return
    }
  }

  /** The fault that the next byte is under. */
  #spanHere(): { fault: BendingFault; from: number; to: number } | undefined {
    for (const { fault, from } of this.#armed) {
      if (!isBending(fault)) continue
      const to = from + lengthOf(fault)
      if (from <= this.#offset && this.#offset < to) return { fault, from, to }
    }
    return undefined
  }

  #nextBoundary(span: { to: number } | undefined): number {
    const starts = this.#armed.map(({ from }) => from).filter((from) => from > this.#offset)
    return Math.min(span?.to ?? Infinity, ...starts)
  }

  async #pass(part: Uint8Array, span: { fault: BendingFault; from: number } | undefined, start: number) {
    const fault = span?.fault
    switch (fault?.kind) {
      case 'drip':
        return this.#drip(part, fault.everyMs)
      case 'garble': {
        const skip = start - (span?.from ?? start)
        return this.#owner.write(garbage(fault.with, skip, part.length))
      }
      case 'truncate':
        return
      case 'duplicate':
        await this.#owner.write(part)
        return this.#owner.write(part)
      default:
        return this.#owner.write(part)
    }
  }

  async #drip(part: Uint8Array, everyMs: number | undefined): Promise<void> {
    for (let index = 0; index < part.length && !this.#owner.isOver; index += 1) {
      await this.#owner.write(part.subarray(index, index + 1))
      await (everyMs === undefined
        ? new Promise((resolve) => setImmediate(resolve))
        : this.#owner.sleep(everyMs))
    }
  }
}

export function isEnding(fault: Fault): fault is EndingFault {
  return fault.kind === 'reset' || fault.kind === 'close' || fault.kind === 'stall'
}

function isBending(fault: Fault): fault is BendingFault {
  return !isEnding(fault) && fault.kind !== 'none'
}

function garbage(content: string | Uint8Array | undefined, from: number, length: number): Uint8Array {
  if (content === undefined) return new Uint8Array(length).fill('#'.charCodeAt(0))
  return bytesOf(content).subarray(from, from + length)
}

function lengthOf(fault: BendingFault): number {
  switch (fault.kind) {
    case 'delay':
      return 0
    case 'drip':
      return fault.bytes ?? Infinity
    case 'garble':
      return fault.with === undefined ? Infinity : bytesOf(fault.with).length
    case 'truncate':
    case 'duplicate':
      return fault.bytes
  }
}

function bytesOf(content: string | Uint8Array): Uint8Array {
  return typeof content === 'string' ? new TextEncoder().encode(content) : content
}
