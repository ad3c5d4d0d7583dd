/** Which trajectory runs in which slot: slots pull, and a container with more free slots comes first. Pure. */
import type { Trajectory } from './calls-file.ts'

/** A slot and the trajectory that it gets. */
export interface Assignment<S> {
  readonly slot: S
  readonly trajectory: Trajectory
}

/** Trajectories that wait, and slots that are free. */
export class Spread<S extends { readonly containerAddr: string }> {
  readonly #waiting: Trajectory[]
  readonly #free = new Map<string, S[]>()

  constructor(trajectories: readonly Trajectory[], slots: readonly S[]) {
    this.#waiting = [...trajectories]
    for (const slot of slots) this.giveBack(slot)
  }

  /** The next trajectory and a slot for it; undefined when none waits, or no slot is free. */
  take(): Assignment<S> | undefined {
    const slots = this.#freest()
    if (slots === undefined || this.#waiting.length === 0) return undefined
    const slot = slots.shift()
    const trajectory = this.#waiting.shift()
    return slot === undefined || trajectory === undefined ? undefined : { slot, trajectory }
  }

  /** The slot is free again. */
  giveBack(slot: S): void {
    const slots = this.#free.get(slot.containerAddr)
    if (slots === undefined) this.#free.set(slot.containerAddr, [slot])
    else slots.push(slot)
  }

  /** The trajectory's slot left before it began: it is the next one again. */
  putBack(trajectory: Trajectory): void {
    this.#waiting.unshift(trajectory)
  }

  /** Takes out all that still waits. */
  takeWaiting(): Trajectory[] {
    return this.#waiting.splice(0)
  }

  #freest(): S[] | undefined {
    let freest: S[] | undefined
    for (const slots of this.#free.values()) {
      if (slots.length > (freest?.length ?? 0)) freest = slots
    }
    return freest
  }
}
