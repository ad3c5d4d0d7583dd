/**
 * The package that is published: JavaScript and declarations in `dist`, and a package.json that names them.
 *
 * A checkout needs no build: its package.json names the sources. npm packs what lies in the repository, so for as long
 * as that takes, the package's package.json is in the place of the repository's.
 */
import { copyFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'

const root = join(import.meta.dir, '..')
const dist = join(root, 'dist')
const manifest = join(root, 'package.json')

/** The package.json of the repository, while that of the package is in its place. */
const kept = join(import.meta.dir, 'package.json')

const paths = v.record(v.string(), v.string())
const checkout = v.object({ version: v.string(), exports: paths, bin: paths })

/** Makes the repository into the package. */
export async function preparePackage(): Promise<void> {
  await restoreCheckout()
  try {
    const source: unknown = await Bun.file(manifest).json()
    const { version } = v.parse(checkout, source)
    await compile()
    await addAssets()
    await Bun.write(join(dist, 'package.json'), json({ type: 'module', version }))
    await copyFile(manifest, `${kept}.new`)
    await rename(`${kept}.new`, kept)
    await Bun.write(`${manifest}.new`, json(published(source)))
    await rename(`${manifest}.new`, manifest)
  } catch (error) {
    await restoreCheckout()
    throw error
  }
}

/** Makes it a checkout again, also after a pack that was interrupted. */
export async function restoreCheckout(): Promise<void> {
  if (await Bun.file(kept).exists()) await rename(kept, manifest)
  await rm(dist, { recursive: true, force: true })
}

/** One file of JavaScript for each of TypeScript, as it is: stacks can be read. */
async function compile(): Promise<void> {
  const tsc = join(root, 'node_modules/.bin/tsc')
  const { exited } = Bun.spawn([process.execPath, tsc, '-p', join(import.meta.dir, 'tsconfig.json')], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if ((await exited) !== 0) throw new Error('Cannot build the package: tsc failed')
}

/** What the code reads when it runs lies where it looks for it: beside it. */
async function addAssets(): Promise<void> {
  for (const path of new Bun.Glob('src/**/*.{css,html,pl}').scanSync({ cwd: root })) {
    await Bun.write(join(dist, path), Bun.file(join(root, path)))
  }
}

/** The package.json of a checkout, with the paths of what was built. */
function published(source: unknown): object {
  const { exports, bin } = v.parse(checkout, source)
  return Object.assign({}, source, {
    exports: mapped(exports, (file) => ({ types: built(file, '.d.ts'), default: built(file, '.js') })),
    bin: mapped(bin, (file) => built(file, '.js')),
  })
}

function mapped<To>(record: Readonly<Record<string, string>>, map: (file: string) => To): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([key, file]) => [key, map(file)]))
}

/** `./src/a.ts` is built as `./dist/src/a.js`. */
function built(file: string, extension: string): string {
  return file.replace(/^(\.\/)?/, '$1dist/').replace(/\.ts$/, extension)
}

function json(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
