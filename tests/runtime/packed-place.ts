/** The package as npm packs it, and empty projects that it is installed into: all in one directory that goes away. */
import { cp, mkdir, mkdtemp, realpath, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { importsOf, packageOf } from '../house/sources.ts'
import { outputOf, root } from './support.ts'

/** What the package is made of, and what it is built with. */
const parts = ['.build', 'LICENSE', 'README.md', 'mod.ts', 'package.json', 'src', 'tsconfig.json']

export const npm = Bun.which('npm')

/** The registry that installs ask, by what it says of a package that we have; empty when it does not answer. */
const asked = Bun.spawnSync([process.execPath, 'pm', 'view', 'valibot', 'dist.tarball'], { cwd: root })
export const registry = /^(https?:\S+?)valibot\/-\//.exec(asked.stdout.toString())?.[1] ?? ''
export const isOnline = registry !== ''

export class PackedPlace implements AsyncDisposable {
  /** A copy of the repository: to pack there changes nothing here. */
  readonly checkout: string

  constructor(readonly path: string) {
    this.checkout = join(path, 'checkout')
  }

  static async make(): Promise<PackedPlace> {
    const place = new PackedPlace(await realpath(await mkdtemp(join(tmpdir(), 'sandbox-slots-packed-'))))
    await Promise.all([
      ...parts.map((part) => cp(join(root, part), join(place.checkout, part), { recursive: true })),
      mkdir(join(place.path, 'temporary')),
    ])
    await symlink(join(root, 'node_modules'), join(place.checkout, 'node_modules'))
    return place
  }

  /** Packs it as a user would; the path of the tarball. */
  async pack(by: 'npm' | 'bun'): Promise<string> {
    const to = await this.directory(`packed-by-${by}`)
    const command = by === 'npm' ? ['npm', 'pack', '--silent', '--pack-destination'] : bunPack
    await this.run([...command, to], this.checkout)
    const [name = ''] = new Bun.Glob('*.tgz').scanSync(to)
    return join(to, name)
  }

  /** What is in a tarball. */
  async unpack(tarball: string): Promise<string> {
    const to = await this.directory('unpacked')
    await new Bun.Archive(await Bun.file(tarball).bytes()).extract(to)
    return join(to, 'package')
  }

  /** An empty project, with files of its own. */
  async project(name: string, files: Readonly<Record<string, string>>): Promise<string> {
    const project = await this.directory(name)
    const manifest = JSON.stringify({ name: 'empty', private: true, type: 'module' })
    const all = Object.entries({ 'package.json': manifest, ...files })
    await Promise.all(all.map(([path, text]) => Bun.write(join(project, path), text)))
    return project
  }

  /** Runs a command to its end, with nothing of the npm that may run this test; its output. */
  async run(command: string[], cwd: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
    return await outputOf(command, cwd, '', { ...this.environment(), ...env })
  }

  environment(): Record<string, string | undefined> {
    const own = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name))
    const PATH = `${join(root, 'node_modules/.bin')}:${process.env.PATH}`
    return { ...Object.fromEntries(own), PATH, TMPDIR: join(this.path, 'temporary') }
  }

  async directory(name: string): Promise<string> {
    const path = join(this.path, name)
    await mkdir(path, { recursive: true })
    return path
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true })
  }
}

const bunPack = ['bun', 'pm', 'pack', '--quiet', '--destination']

/** The suite of the runtimes as one script that imports the core by the name of the package. */
export async function packedSuite(): Promise<string> {
  const name: Bun.BunPlugin = {
    name: 'the core is the package',
    setup: (build) => {
      build.onResolve({ filter: /\/mod\.ts$/ }, () => ({ path: 'sandbox-slots', external: true }))
    },
  }
  const entry = join(import.meta.dir, 'main.ts')
  const { outputs } = await Bun.build({ entrypoints: [entry], target: 'node', plugins: [name] })
  return (await outputs[0]?.text()) ?? ''
}

/** The packages that the scripts in a directory import. */
export async function importedPackages(directory: string): Promise<Set<string>> {
  const found = new Set<string>()
  for (const path of new Bun.Glob('**/*.js').scanSync(directory)) {
    for (const { specifier } of importsOf({ path, text: await Bun.file(join(directory, path)).text() })) {
      if (!/^(\.|node:|bun:)/.test(specifier)) found.add(packageOf(specifier))
    }
  }
  return found
}
