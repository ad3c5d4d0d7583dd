/** The users of the slots. A server that runs as root gives each slot one of its own, which owns nothing else. */
import { chmod, lchown, lstat, readdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Owner } from '../files/open-directory.ts'

/** The first slot's uid, where the machine has it. */
const USUAL_FIRST = 600_000
/** Below these are the users of the system and of people. */
const LOWEST_FIRST = 1_001

/** The uid, and gid, of the first slot: `count` of them exist here from it on. `null`: no drop. */
export async function firstOwner(count: number): Promise<number | null> {
  if (process.geteuid?.() !== 0 || !(await hasRights())) return null
  const [uids, gids] = await Promise.all(['uid_map', 'gid_map'].map(readMap))
  return firstIn(uids ?? '', gids ?? '', count)
}

/** CAP_CHOWN, DAC_OVERRIDE, FOWNER, KILL, SETGID, SETUID: without them root cannot serve, nor end, others' processes. */
const NEEDED_RIGHTS = 0b1110_1011n

async function hasRights(): Promise<boolean> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '')
  const [, rights = '0'] = /^CapEff:\s*([0-9a-f]+)$/m.exec(status) ?? []
  return (BigInt(`0x${rights}`) & NEEDED_RIGHTS) === NEEDED_RIGHTS
}

function readMap(name: string): Promise<string> {
  // Without /proc there are no user namespaces either: all ids exist.
  return readFile(`/proc/self/${name}`, 'utf8').catch(() => '0 0 4294967295')
}

/** Pure; exported for its test. The maps are those of /proc/self: "first-inside first-outside length" a line. */
export function firstIn(uidMap: string, gidMap: string, count: number): number | null {
  const ranges = [uidMap, gidMap].map(rangesOf)
  const has = (first: number) =>
    ranges.every((map) => map.some((range) => range.first <= first && first + count <= range.end))
  const ends = ranges.flat().map((range) => range.end - count)
  const candidates = [USUAL_FIRST, ...ends.toSorted((a, b) => b - a)]
  return candidates.find((first) => first >= LOWEST_FIRST && has(first)) ?? null
}

function rangesOf(map: string): { readonly first: number; readonly end: number }[] {
  return map
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([first = 0, , length = 0]) => ({ first, end: first + length }))
}

/** Makes `path`, a directory that holds no others' data, and all that is in it belong to `owner` alone. */
export async function giveTo(path: string, owner: Owner | null): Promise<void> {
  if (owner === null) return
  await chmod(path, 0o700)
  const { uid, gid } = await lstat(path)
  if (uid !== owner.uid || gid !== owner.gid) await chownTree(path, owner)
}

/** The directory itself last: a walk that was broken off begins anew. */
async function chownTree(path: string, owner: Owner): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const here = join(path, entry.name)
    if (entry.isDirectory()) await chownTree(here, owner)
    else await lchown(here, owner.uid, owner.gid)
  }
  await lchown(path, owner.uid, owner.gid)
}

/** Whether a user who owns nothing of it can pass all directories down to `path`. */
export async function isReachable(path: string): Promise<boolean> {
  const { mode } = await stat(path)
  if ((mode & 0o001) === 0) return false
  const parent = dirname(path)
  return parent === path || (await isReachable(parent))
}
