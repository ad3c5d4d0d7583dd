/** What JSR would say of the package, asked without a network: Deno type-checks it and looks for slow types. */
import { expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as v from 'valibot'
import { outputOf, patience, root } from './support.ts'

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

test(
  'JSR would take the package: its types are explicit, and the server stays out',
  async () => {
    const cache = await mkdtemp(join(tmpdir(), 'sandbox-slots-jsr-'))
    try {
      const flags = ['--dry-run', '--allow-dirty', '--no-lock', '--node-modules-dir=manual']
      const command = [join(root, 'node_modules/.bin/deno'), 'publish', ...flags]
      const shell = ['sh', '-c', 'DENO_DIR="$0" exec "$@" 2>&1', cache]
      const said = await outputOf([...shell, ...command], root)
      const { href } = pathToFileURL(`${root}/`)
      const files = said.split(href).flatMap((part) => /^\S+/.exec(part) ?? [])
      expect(files).toContain('mod.ts')
      expect(files).toContain('src/actors/mod.ts')
      expect(files.filter((path) => /^src\/(server|cli|inspector)\//.test(path))).toEqual([])
    } finally {
      await rm(cache, { recursive: true, force: true })
    }
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
