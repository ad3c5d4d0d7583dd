/** The import law: imports go down only, and rooms on one floor do not meet. */
import { type Import, importsOf, type SourceFile } from './sources.ts'

/** Rooms from the ground up. `mod.ts` is the front door: it shows rooms, and nobody imports it but the top. */
const floors: readonly (readonly string[])[] = [
  ['src/protocol/', 'src/errors.ts', 'src/usage.ts'],
  ['src/batching/', 'src/retrying/', 'src/ports/'],
  ['src/actors/', 'src/transport/', 'src/discovery/'],
  ['src/executor/', 'src/inspector/'],
  ['mod.ts'],
  ['src/cli/'],
]

const server = 'src/server/'

/** What rooms of the same floor may import all the same. */
const shared: readonly { readonly path: string; readonly floor: number; readonly reason: string }[] = [
  { path: 'src/errors.ts', floor: 0, reason: 'misuse is told by an error' },
  { path: 'src/batching/settlement.ts', floor: 1, reason: 'how a call ends is the word of both rules' },
  { path: 'src/ports/', floor: 1, reason: 'interfaces, and the clock of the runtime' },
]

interface Room {
  readonly name: string
  readonly floor: number
}

/** One sentence for each import that breaks the law, and for each file without a room. */
export function importLaw(files: readonly SourceFile[]): string[] {
  const paths = new Set(files.map(({ path }) => path))
  return files.flatMap((file) => {
    if (roomOf(file.path) === undefined && !file.path.startsWith(server)) {
      return [`${file.path} is in no room: give its folder a floor in tests/house/import-law.ts`]
    }
    return importsOf(file).flatMap((found) => {
      const complaint = found.target === undefined ? undefined : broken(file.path, found.target, paths)
      return complaint === undefined ? [] : [sentence(file, found, complaint)]
    })
  })
}

function sentence({ path }: SourceFile, { specifier, line }: Import, complaint: string): string {
  return `${path}:${line} imports '${specifier}': ${complaint}`
}

function broken(from: string, to: string, paths: ReadonlySet<string>): string | undefined {
  if (!to.startsWith('src/') && to !== 'mod.ts') return outside(from, to)
  if (to.endsWith('.ts') && !paths.has(to)) return 'there is no such file'
  if (!/\.\w+$/.test(to)) return 'write the file extension'
  const [here, there] = [roomOf(from), roomOf(to)]
  if (from.startsWith(server)) return fromServer(to, there)
  if (here === undefined) return undefined
  if (to.startsWith(server))
    return here.name === 'src/cli/' ? undefined : 'only the command line meets the server'
  if (there === undefined || here.name === there.name) return undefined
  if (there.floor > here.floor) return `imports go down: ${here.name} is below ${there.name}`
  if (there.floor < here.floor || isShared(to, here.floor)) return undefined
  return `${here.name} and ${there.name} are on one floor and do not meet`
}

function fromServer(to: string, there: Room | undefined): string | undefined {
  if (to.startsWith(server) || there?.floor === 0) return undefined
  return 'the server shares floor 0 with the client, and nothing else'
}

/** Only the command line may read what is beside `src`: its version in package.json. */
function outside(from: string, to: string): string | undefined {
  return from.startsWith('src/cli/') && to === 'package.json' ? undefined : 'that is outside the house'
}

function isShared(path: string, floor: number): boolean {
  return shared.some((one) => one.floor === floor && path.startsWith(one.path))
}

function roomOf(path: string): Room | undefined {
  for (const [floor, rooms] of floors.entries()) {
    const name = rooms.find((room) => (room.endsWith('/') ? path.startsWith(room) : path === room))
    if (name !== undefined) return { name, floor }
  }
  return undefined
}
