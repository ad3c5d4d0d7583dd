/** Containers in memory that crash, are started anew and leave the list; and what they see: the witness. */
import * as v from 'valibot'
import type { DiscoveredContainer, DiscoveryListeners } from '../../../src/ports/discovery.ts'

export const hosts = ['a:1', 'b:1', 'c:1'] as const
export type Host = (typeof hosts)[number]
export const slotsEach = 3

const item = v.object({ slot_id: v.string(), execution_id: v.optional(v.string(), '') })

export class World {
  readonly down = new Set<string>()
  readonly unlisted = new Set<string>()
  failingResets = 0
  readonly violations: string[] = []
  /** Owners that have said that their files may stay. */
  readonly generous = new Set<number>()
  readonly #starts = new Map<string, number>()
  /** The newest owner that each slot has seen. */
  readonly #newest = new Map<string, number>()
  /** Whose files each slot holds. */
  readonly #files = new Map<string, number>()
  #listeners: DiscoveryListeners | undefined

  async handle(request: Request): Promise<Response> {
    const { host, pathname } = new URL(request.url)
    await Promise.resolve()
    if (this.down.has(host)) throw Object.assign(new Error('reset'), { code: 'ECONNRESET' })
    if (request.method === 'GET')
      return Response.json({ status: 'ok', slots: slotsEach, data_dir: `/${this.#starts.get(host) ?? 0}` })
    const body: unknown = await request.json()
    if (pathname === '/reset') return this.#reset(`${host}/${v.parse(item, body).slot_id}`)
    const answers = v.parse(v.array(item), Array.isArray(body) ? body : [body]).map((call) => {
      this.#ran(`${host}/${call.slot_id}`, Number(call.execution_id.split(':')[0]))
      return { success: true, output: call.execution_id, execution_id: call.execution_id }
    })
    return Response.json(Array.isArray(body) ? answers : answers[0])
  }

  /** Its workspaces are others from now on. */
  startAnew(host: Host): void {
    this.#starts.set(host, (this.#starts.get(host) ?? 0) + 1)
    for (const slot of this.#files.keys()) if (slot.startsWith(host)) this.#files.delete(slot)
  }

  crashOrComeBack(host: Host): void {
    if (!this.down.delete(host)) this.down.add(host)
  }

  leaveOrJoin(host: Host): void {
    if (!this.unlisted.delete(host)) this.unlisted.add(host)
    this.#tell()
  }

  allWell(): void {
    this.down.clear()
    this.unlisted.clear()
    this.failingResets = 0
    this.#tell()
  }

  watch = async (listeners: DiscoveryListeners): Promise<void> => {
    this.#listeners = listeners
    this.#tell()
  }

  #tell(): void {
    const listed = hosts.filter((host) => !this.unlisted.has(host))
    this.#listeners?.onChange(listed.map((addr): DiscoveredContainer => ({ addr })))
  }

  #reset(slot: string): Response {
    const success = this.failingResets-- <= 0
    if (success) this.#files.delete(slot)
    return Response.json({ success, error: success ? '' : 'disk full' })
  }

  /** Owners are numbered: an older one must not come after a newer one. Calls of trajectories have no number. */
  #ran(slot: string, generation: number): void {
    if (Number.isNaN(generation)) return
    const newest = this.#newest.get(slot) ?? 0
    if (generation < newest) this.violations.push(`${slot}: owner ${generation} ran after owner ${newest}`)
    this.#newest.set(slot, Math.max(newest, generation))
    const found = this.#files.get(slot)
    if (found !== undefined && found !== generation && !this.generous.has(found))
      this.violations.push(`${slot}: owner ${generation} found the files of owner ${found}`)
    this.#files.set(slot, generation)
  }
}
