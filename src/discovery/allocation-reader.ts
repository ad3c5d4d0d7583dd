/** Floor 2: reads the allocations of a job, each with its resources. Browser compatible. */
import {
  type AllocatedResources,
  type Allocation,
  allocationDetails,
  allocations,
  isRunning,
} from './nomad-allocations.ts'
import type { NomadAnswer, NomadClient } from './nomad-client.ts'
import { NomadError } from './nomad-error.ts'
import { blocking, heldMs } from './nomad-reads.ts'

/** How many allocations are read one by one at the same time. */
const sideBySide = 16

/** Which reading is meant. */
export interface AllocationsQuery {
  /** Where the last reading ended; 0 to be answered at once. */
  readonly index: number
  /** How long Nomad may wait for a change, in milliseconds. */
  readonly waitMs: number
}

/**
 * Reads lists. A Nomad that leaves the resources out, whatever it was asked for, is asked for each running allocation
 * once: ports never change.
 */
export class AllocationReader {
  readonly #client: NomadClient
  readonly #job: string
  readonly #group: string | undefined
  #known = new Map<string, AllocatedResources>()

  constructor(client: NomadClient, job: string, group: string | undefined) {
    this.#client = client
    this.#job = job
    this.#group = group
  }

  async read(query: AllocationsQuery, signal: AbortSignal): Promise<NomadAnswer<readonly Allocation[]>> {
    const { value, index } = await this.#client.ask(
      {
        action: `list the allocations of job ${this.#job}`,
        method: 'GET',
        path: `job/${encodeURIComponent(this.#job)}/allocations`,
        query: { resources: 'true', ...blocking(query.index, query.waitMs) },
        schema: allocations,
        heldMs: heldMs(query.waitMs),
      },
      signal,
    )
    return { value: await this.#completed(value, signal), index }
  }

  async #completed(found: readonly Allocation[], signal: AbortSignal): Promise<readonly Allocation[]> {
    const bare = found.filter((each) => !each.AllocatedResources && isRunning(each, this.#group))
    if (bare.length === 0) return found
    const known = new Map<string, AllocatedResources>()
    for (let start = 0; start < bare.length; start += sideBySide) {
      const some = bare.slice(start, start + sideBySide)
      const details = await Promise.all(
        some.map(({ ID }) => this.#known.get(ID) ?? this.#resourcesOf(ID, signal)),
      )
      for (const [at, { ID }] of some.entries()) {
        const resources = details[at]
        if (resources) known.set(ID, resources)
      }
    }
    this.#known = known
    return found.map((each) =>
      each.AllocatedResources ? each : { ...each, AllocatedResources: known.get(each.ID) },
    )
  }

  /** Nothing for one that was purged in the meantime. */
  async #resourcesOf(id: string, signal: AbortSignal): Promise<AllocatedResources | null | undefined> {
    try {
      const question = {
        action: `read allocation ${id}`,
        method: 'GET',
        path: `allocation/${encodeURIComponent(id)}`,
        schema: allocationDetails,
      } as const
      return (await this.#client.ask(question, signal)).value.AllocatedResources
    } catch (thrown) {
      if (thrown instanceof NomadError && thrown.status === 404) return undefined
      throw thrown
    }
  }
}
