/** The holder of one slot, as long as it is wanted: another when it has died, or holds a directory that was replaced. */
import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Place } from './command-line.ts'
import { Holder } from './holder.ts'
import type { Isolation } from './isolation.ts'

export class SlotHolder {
  readonly #isolation: Isolation
  readonly #living: Set<Holder>
  #current: { readonly holder: Holder; readonly directory: string } | null = null

  /** `living`: where it is kept, with those of other slots, until no process of it is alive. */
  constructor(isolation: Isolation, living: Set<Holder>) {
    this.#isolation = isolation
    this.#living = living
  }

  /** Sees to it that there is one, where there can be. Throws when nothing can be spawned. */
  open(place: Place): void {
    const isolation = this.#isolation
    if (isolation.kind === 'none' || !isolation.hasHolders || this.of(place) !== null) return
    this.close()
    const holder = new Holder(isolation, place)
    this.#current = { holder, directory: identity(dirname(place.workspace)) }
    this.#living.add(holder)
    void holder.ended.then(() => this.#living.delete(holder))
  }

  /** The one that can make a sandbox now, or `null`. */
  of({ workspace }: Place): Holder | null {
    const current = this.#current
    if (current === null || !current.holder.isOpen) return null
    return current.directory === identity(dirname(workspace)) ? current.holder : null
  }

  /** Ends it, with what it has made. */
  close(): void {
    void this.#current?.holder.kill()
    this.#current = null
  }
}

/** Which directory has the name now. */
export function identity(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats === undefined ? 'none' : `${stats.dev}:${stats.ino}`
}
