/** The slots: their workspaces on disk, who runs in them, and their resets. */
import { lchownSync, mkdirSync, renameSync } from 'node:fs'
import { lstat, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { SandboxError } from '../errors.ts'
import type { SlotStatusBody } from '../protocol/health.ts'
import { FifoLock } from './fifo-lock.ts'
import type { Owner } from './files/open-directory.ts'
import { errorCode } from './files/path-error.ts'
import { removeTree } from './files/remove-tree.ts'
import { giveTo } from './sandbox/owners.ts'
import { Sessions } from './sessions.ts'

export interface Slot {
  readonly id: string
  readonly workspace: string
  /** Whose the workspace is, and the commands are: a user of its own; `null`: the server's. */
  readonly owner: Owner | null
  readonly lock: FifoLock
  /** What lives in it from call to call. */
  readonly sessions: Sessions
  /** The tool call that runs now. */
  running: { readonly executionId: string | null } | null
}

export class SlotTable {
  readonly #slots: ReadonlyMap<string, Slot>
  /** What is on its way out of the workspaces, or into them. */
  readonly trashDir: string
  readonly #removals = new Set<Promise<void>>()

  private constructor(slots: readonly Slot[], trashDir: string) {
    this.#slots = new Map(slots.map((slot) => [slot.id, slot]))
    this.trashDir = trashDir
  }

  /** Makes the workspaces that are not there yet; slot N belongs to the user `firstOwner` + N. */
  static async open(
    dataDir: string,
    privateDir: string,
    count: number,
    firstOwner: number | null,
  ): Promise<SlotTable> {
    const trashDir = join(privateDir, 'trash')
    await removeTree(trashDir)
    await mkdir(trashDir, { recursive: true, mode: 0o700 })
    const slots: Slot[] = []
    for (let index = 0; index < count; index++) {
      const id = `slot_${index}`
      const workspace = join(dataDir, id)
      const owner = ownerOf(firstOwner, index)
      await makeWorkspace(workspace, owner)
      slots.push({ id, workspace, owner, lock: new FifoLock(), sessions: new Sessions(), running: null })
    }
    return new SlotTable(slots, trashDir)
  }

  *[Symbol.iterator](): Iterator<Slot> {
    yield* this.#slots.values()
  }

  get(slotId: string): Slot | undefined {
    return this.#slots.get(slotId)
  }

  get size(): number {
    return this.#slots.size
  }

  get executing(): number {
    return [...this.#slots.values()].filter((slot) => slot.running !== null).length
  }

  status(): SlotStatusBody[] {
    return [...this.#slots.values()].map((slot) => ({
      slot_id: slot.id,
      state: slot.running === null ? 'available' : 'executing',
      workspace_dir: slot.workspace,
      current_execution_id: slot.running?.executionId ?? null,
    }))
  }

  /**
   * Ends the slot's sessions and empties its workspace; to be called under the slot's lock. The old workspace leaves in
   * one step and is deleted later.
   */
  async reset(slot: Slot): Promise<void> {
    await slot.sessions.end()
    const trash = join(this.trashDir, crypto.randomUUID())
    try {
      renameSync(slot.workspace, trash)
    } catch (thrown) {
      // Gone already, by a reset that failed half-way.
      if (errorCode(thrown) !== 'ENOENT') throw thrown
    }
    await makeWorkspace(slot.workspace, slot.owner)
    this.#removeLater(trash)
  }

  /** Ends the sessions when no call runs or waits; resolves when they are dead, and nothing is left to delete. */
  async settle(): Promise<void> {
    const ends = [...this.#slots.values()].map((slot) => slot.lock.idle().then(() => slot.sessions.end()))
    await Promise.all(ends)
    await Promise.all(this.#removals)
  }

  #removeLater(path: string): void {
    // What cannot be deleted now is tried again at the next start.
    const removal = removeTree(path)
      .catch(() => {})
      .finally(() => this.#removals.delete(removal))
    this.#removals.add(removal)
  }
}

/** The user of slot number `index`. */
export function ownerOf(firstOwner: number | null, index: number): Owner | null {
  return firstOwner === null ? null : { uid: firstOwner + index, gid: firstOwner + index }
}

async function makeWorkspace(path: string, owner: Owner | null): Promise<void> {
  if (isNew(path)) {
    if (owner !== null) lchownSync(path, owner.uid, owner.gid)
    return
  }
  if (!(await lstat(path)).isDirectory()) {
    throw new SandboxError('server', `Cannot use ${path} as a workspace: it is not a directory`)
  }
  await giveTo(path, owner)
}

/** Makes it; `false`: something is there. Done at once: a way through a thread would take ten times as long. */
function isNew(workspace: string): boolean {
  try {
    mkdirSync(workspace, 0o700)
    return true
  } catch (thrown) {
    if (errorCode(thrown) === 'EEXIST') return false
    throw thrown
  }
}
