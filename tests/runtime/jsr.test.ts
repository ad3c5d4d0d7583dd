/** What JSR would say of the package, asked of Deno without a network, and whether what it would have works. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as v from 'valibot'
import { isOnline } from './packed-place.ts'
import { reportFrom } from './settings.ts'
import { expectGreen, outputOf, patience, root, settingsFor, startServer } from './support.ts'

const manifests = {
  npm: v.object({ version: v.string(), dependencies: v.record(v.string(), v.string()) }),
  jsr: v.object({
    version: v.string(),
    exports: v.record(v.string(), v.string()),
    imports: v.record(v.string(), v.string()),
  }),
}

const npm = v.parse(manifests.npm, await Bun.file(join(root, 'package.json')).json())
const jsr = v.parse(manifests.jsr, await Bun.file(join(root, 'jsr.json')).json())

let place: string

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'sandbox-slots-jsr-'))
})

afterAll(async () => await rm(place, { recursive: true, force: true }))

/** Runs Deno with a cache of its own; what it says, on stdout and stderr. */
async function deno(args: readonly string[], cwd: string): Promise<string> {
  const env = { ...process.env, DENO_DIR: join(place, 'cache') }
  const command = ['sh', '-c', 'exec "$0" "$@" 2>&1', join(root, 'node_modules/.bin/deno'), ...args]
  return await outputOf(command, cwd, '', env)
}

const isLeftOut = (path: string) => /(^|\/)src\/(server|cli|inspector)(\/|$)/.test(path)

test(
  'JSR would take the package: its types are explicit, and the server stays out',
  async () => {
    const flags = ['--dry-run', '--allow-dirty', '--no-lock', '--node-modules-dir=manual']
    const said = await deno(['publish', ...flags], root)
    const { href } = pathToFileURL(`${root}/`)
    const files = said.split(href).flatMap((part) => /^\S+/.exec(part) ?? [])
    expect(files).toContain('mod.ts')
    expect(files).toContain('src/actors/mod.ts')
    expect(files.filter(isLeftOut)).toEqual([])
  },
  patience,
)

test.skipIf(!isOnline)(
  'the core works of what JSR would have, with what it says of its imports',
  async () => {
    await using server = await startServer()
    const project = join(place, 'project')
    const filter = (path: string) => !isLeftOut(relative(root, path))
    for (const part of ['mod.ts', 'src', 'tests/runtime']) {
      await cp(join(root, part), join(project, part), { recursive: true, filter })
    }
    await cp(join(root, 'jsr.json'), join(project, 'deno.json'))
    const flags = ['--quiet', '--no-lock', '--allow-net', '--allow-env']
    const settings = JSON.stringify(await settingsFor(server))
    const said = await deno(['run', ...flags, 'tests/runtime/main.ts', settings], project)
    expectGreen(reportFrom(said))
  },
  patience,
)

test('what JSR resolves is what npm installs', () => {
  expect(jsr.version).toBe(npm.version)
  for (const [specifier, target] of Object.entries(jsr.imports)) {
    const [, name = '', path = ''] = /^((?:@[^/]+\/)?[^/]+)(.*)$/.exec(specifier) ?? []
    expect(target).toBe(`npm:${name}@${npm.dependencies[name]}${path}`)
  }
})
