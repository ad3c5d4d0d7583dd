/** What a page must load of the core: for browsers, minified and gzipped. README.md tells these figures. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { outputOf, patience, root } from './support.ts'

let place: string

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'sandbox-slots-size-'))
})

afterAll(async () => await rm(place, { recursive: true, force: true }))

const dependencies = ['xstate', 'ky', 'valibot', '@noble/hashes']

/** About 5 % more than they were when they were last looked at. */
test.concurrent.each([
  { what: 'everything', names: '*', external: [], limit: 71_000 },
  { what: 'everything but the dependencies', names: '*', external: dependencies, limit: 44_000 },
  { what: 'SandboxExecutor', names: '{ SandboxExecutor }', external: [], limit: 55_500 },
])(
  '$what: at most $limit bytes gzipped',
  async ({ what, names, external, limit }) => {
    const entry = join(place, `${what}.ts`)
    await Bun.write(entry, `export ${names} from '${join(root, 'mod.ts')}'`)
    const out = join(place, `${what}.js`)
    const flags = ['--production', '--target', 'browser', ...external.flatMap((name) => ['--external', name])]
    await outputOf([process.execPath, 'build', entry, ...flags, '--outfile', out], root, '', {
      ...process.env,
      // xstate has another build for development.
      NODE_ENV: 'production',
    })
    const script = await Bun.file(out).bytes()
    const gzipped = Bun.gzipSync(script, { level: 9 }).length
    console.log(`${what}: ${script.length} bytes minified, ${gzipped} gzipped`)
    expect(gzipped).toBeLessThan(limit)
    // What is measured is there.
    expect(gzipped).toBeGreaterThan(limit * 0.8)
  },
  patience,
)
