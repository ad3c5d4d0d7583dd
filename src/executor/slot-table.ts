/** Floor 3: the slots and containers that an executor knows. Browser compatible. */
import * as v from 'valibot'
import { checked, count, identifier, text } from '../usage.ts'
import { containerAddress } from './addresses.ts'
import { Container } from './container.ts'
import type { Core } from './core.ts'
import { Slot, type SlotDoor, type SlotInit, type SlotJSON } from './slot.ts'
import { SlotRunner } from './slot-runner.ts'

const initEntries = {
  slotId: identifier,
  containerAddr: text,
  allocId: v.optional(text),
  workspaceDir: v.optional(text),
  metadata: v.optional(v.record(v.string(), v.unknown())),
}

const slotInit = v.strictObject(initEntries)

const slotJson = v.object({
  ...initEntries,
  state: v.picklist(['idle', 'acquired', 'executing', 'cancelling', 'resetting', 'releasing', 'faulted']),
  trajectoryId: v.nullish(text, null),
  faultReason: v.optional(text, 'it was faulted when it was saved'),
})

/** A container, and its slots by their names. */
interface Known {
  readonly container: Container
  readonly slots: Map<string, { readonly slot: Slot; readonly runner: SlotRunner }>
}

/** One object for each slot and container, made when it is first asked for. */
export class SlotTable {
  readonly #core: Core
  readonly #door: SlotDoor
  readonly #known = new Map<string, Known>()

  constructor(core: Core, door: SlotDoor) {
    this.#core = core
    this.#door = door
  }

  slot(given: SlotInit): Slot {
    const init = checked(slotInit, given, 'a slot')
    return this.#make(init, containerAddress(init.containerAddr))
  }

  slots(containerAddr: string, slotCount: number): [Slot, ...Slot[]] {
    const { count: wanted } = checked(v.object({ count }), { count: slotCount }, 'slots')
    const addr = containerAddress(containerAddr)
    const slotAt = (index: number) => this.#make({ slotId: `slot_${index}`, containerAddr }, addr)
    return [slotAt(0), ...Array.from({ length: wanted - 1 }, (_, index) => slotAt(index + 1))]
  }

  slotFromJSON(given: SlotJSON): Slot {
    const { state, trajectoryId, faultReason, ...init } = checked(slotJson, given, 'a saved slot')
    const slot = this.#make(init, containerAddress(init.containerAddr))
    if (slot.state !== 'idle') return slot
    if (state === 'faulted') slot.markFaulted(faultReason)
    else if (state !== 'idle' && (trajectoryId !== null || state === 'acquired'))
      slot.acquire(trajectoryId ?? undefined)
    return slot
  }

  container(addr: string): Container {
    return this.#knownAt(containerAddress(addr)).container
  }

  /** Lets go of a container whose slots nobody has any more, unless something of it is under way, or in quarantine. */
  forget(addr: string): void {
    const known = this.#known.get(addr)
    if (known === undefined || isInUse(known)) return
    this.#known.delete(addr)
    stop(known)
  }

  stop(): void {
    for (const known of this.#known.values()) stop(known)
  }

  #make(init: v.InferOutput<typeof slotInit>, addr: string): Slot {
    const { container, slots } = this.#knownAt(addr)
    const known = slots.get(init.slotId)
    if (known !== undefined) return known.slot
    const runner = new SlotRunner(init.slotId, container, this.#core)
    const slot = new Slot(defined(init), runner, this.#door)
    slots.set(init.slotId, { slot, runner })
    return slot
  }

  #knownAt(addr: string): Known {
    const known = this.#known.get(addr)
    if (known !== undefined) return known
    const made = { container: new Container(addr, this.#core), slots: new Map() }
    this.#known.set(addr, made)
    return made
  }
}

function isInUse({ container, slots }: Known): boolean {
  if (container.inFlight > 0 || container.buffer.size > 0) return true
  return [...slots.values()].some(({ runner }) => runner.state !== 'idle')
}

function stop({ container, slots }: Known): void {
  container.stop()
  for (const { runner } of slots.values()) runner.stop()
}

function defined(init: v.InferOutput<typeof slotInit>): SlotInit {
  const { slotId, containerAddr, allocId, workspaceDir, metadata } = init
  return {
    slotId,
    containerAddr,
    ...(allocId === undefined ? {} : { allocId }),
    ...(workspaceDir === undefined ? {} : { workspaceDir }),
    ...(metadata === undefined ? {} : { metadata }),
  }
}
