/** The package as its users get it: packed once, looked at, and installed into empty projects. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { publint } from 'publint'
import * as v from 'valibot'
import { anyIsolation } from '../cli/support.ts'
import { hasNewerNode, newerNode } from './newer-node.ts'
import { importedPackages, isOnline, npm, PackedPlace, packedSuite } from './packed-place.ts'
import { startRegistry } from './registry.ts'
import { reportFrom } from './settings.ts'
import { closedAddr, expectGreen, patience, root, serverRuntime, slotsOfASuite } from './support.ts'

let place: PackedPlace
let tarball: string
let unpacked: string

beforeAll(async () => {
  place = await PackedPlace.make()
  tarball = await place.pack(npm === null ? 'bun' : 'npm')
  unpacked = await place.unpack(tarball)
}, patience)

afterAll(async () => await place[Symbol.asyncDispose]())

const strings = v.record(v.string(), v.string())
const manifest = v.object({
  exports: v.record(v.string(), strings),
  bin: strings,
  dependencies: strings,
})
const published = async () => v.parse(manifest, await Bun.file(join(unpacked, 'package.json')).json())
const inPackage = (glob: string) => [...new Bun.Glob(glob).scanSync(unpacked)]

describe('the tarball', () => {
  test('has JavaScript and declarations behind every path', async () => {
    const { exports, bin } = await published()
    expect(Object.keys(exports)).toEqual(['.', './actors', './inspector', './server'])
    const files = [...Object.values(exports).flatMap((paths) => Object.values(paths)), ...Object.values(bin)]
    expect(files.filter((path) => !/\.(js|d\.ts)$/.test(path))).toEqual([])
    expect(files.filter((path) => !existsSync(join(unpacked, path)))).toEqual([])
  })

  test('imports nothing but its dependencies, and each of them', async () => {
    const { dependencies } = await published()
    const imported = await importedPackages(join(unpacked, 'dist'))
    expect([...imported].sort()).toEqual(Object.keys(dependencies).sort())
  })

  test('names the source of every script and every declaration, and has it', async () => {
    const built = inPackage('dist/**/*.{js,d.ts}')
    expect(built.filter((path) => !existsSync(join(unpacked, `${path}.map`)))).toEqual([])
    const sources = await Promise.all(
      built.map(async (path) => {
        const map = v.parse(sourceMap, await Bun.file(join(unpacked, `${path}.map`)).json())
        return map.sources.map((source) => resolve(unpacked, dirname(path), source))
      }),
    )
    expect(sources.flat().filter((source) => !existsSync(source))).toEqual([])
    expect(sources.flat()).toHaveLength(built.length)
  })

  test('holds nothing but the package', () => {
    expect(readdirSync(unpacked).sort()).toEqual([
      'LICENSE',
      'README.md',
      'dist',
      'mod.ts',
      'package.json',
      'src',
    ])
  })

  test('is as publint and arethetypeswrong want it', async () => {
    const bytes = await Bun.file(tarball).arrayBuffer()
    const { messages } = await publint({ pack: { tarball: bytes }, strict: true })
    expect(messages).toEqual([])
    const result = await checkPackage(createPackageFromTarballData(new Uint8Array(bytes)))
    const problems = result.types === false ? ['it has no types'] : result.problems
    expect(problems.filter((problem) => !isOfModulesOnly(problem))).toEqual([])
  })

  test('is the same from npm and from Bun, after a pack that was cut off too, and the checkout is as it was', async () => {
    const text = (path: string) => Bun.file(join(path, 'package.json')).text()
    await place.run(['bun', '.build/prepack.ts'], place.checkout)
    expect(await text(place.checkout)).toBe(await text(unpacked))
    const others = new Bun.Archive(await Bun.file(await place.pack('bun')).bytes())
    const names = [...(await others.files()).keys()].map((path) => path.replace(/^package\//, ''))
    expect(names.sort()).toEqual(inPackage('**/*').sort())
    expect(await text(place.checkout)).toBe(await text(root))
    expect(readdirSync(place.checkout)).not.toContain('dist')
    expect(readdirSync(join(place.checkout, '.build'))).not.toContain('package.json')
  })
})

describe.skipIf(!isOnline)('installed in an empty project', () => {
  let bunProject: string
  let server: Awaited<ReturnType<typeof startServer>> | undefined
  let suite: string
  let settings: (suite: number) => string
  let everyPath: string

  beforeAll(async () => {
    suite = await packedSuite()
    everyPath = await Bun.file(join(import.meta.dir, 'every-path.ts')).text()
    bunProject = await place.project('bun', { 'suite.js': suite, 'page.ts': page, 'calls.jsonl': calls })
    await place.run(['bun', 'add', tarball], bunProject)
    server = await startServer(bunProject)
    const rest = { ...serverRuntime, addr: server.url, closedAddr: await closedAddr() }
    settings = (suite) => JSON.stringify({ ...rest, firstSlot: suite * slotsOfASuite })
  }, patience)

  afterAll(async () => {
    server?.child.kill('SIGTERM')
    await server?.child.exited
  })

  test.concurrent(
    'with Bun: the core, the server, the page and the command work',
    async () => {
      expectGreen(reportFrom(await place.run(['bun', 'suite.js', settings(0)], bunProject)))
      expect(await place.run(['bun', 'page.ts'], bunProject)).toContain('</html>')
      const command = [installed(bunProject), 'run', 'calls.jsonl', '--out', 'results.jsonl', ...anyIsolation]
      await place.run(command, bunProject)
      expect(await Bun.file(join(bunProject, 'results.jsonl')).text()).toContain('"output":"42"')
    },
    patience,
  )

  test.concurrent.skipIf(!hasNewerNode)(
    'with Node: the core works, stacks name its sources, and the command says that it needs Bun',
    async () => {
      const project = await place.project('node', { 'suite.js': suite, 'misuse.js': misuse })
      const add = npm === null ? ['bun', 'add'] : ['npm', 'install', '--silent', '--prefer-offline']
      const [node] = await Promise.all([newerNode(place), place.run([...add, tarball], project)])
      expectGreen(reportFrom(await place.run([node, 'suite.js', settings(1)], project)))
      const stack = await place.run([node, '--enable-source-maps', 'misuse.js'], project)
      expect(stack).toStartWith('slot\n')
      expect(stack).toMatch(/sandbox-slots\/src\/executor\/sandbox-executor\.ts:\d+/)
      const command = place.run([node, installed(project)], project)
      await expect(command).rejects.toThrow(/ended with 2:\s+error: sandbox-slots needs Bun [^\n]+\n$/)
    },
    patience,
  )

  test.concurrent(
    'with Deno: by its name, the core works, and the types of every path are there',
    async () => {
      await using registry = await startRegistry(tarball, unpacked)
      const env = { DENO_DIR: join(place.path, 'deno-cache'), NPM_CONFIG_REGISTRY: registry.url }
      const files = { 'deno.json': '{}', 'suite.js': suite, 'every-path.ts': everyPath }
      const project = await place.project('deno', files)
      const deno = (...args: string[]) => place.run(['deno', ...args], project, env)
      await deno('add', '--quiet', 'npm:sandbox-slots')
      expectGreen(reportFrom(await deno('run', '--allow-net', '--allow-env', 'suite.js', settings(2))))
      await deno('check', '--quiet', 'every-path.ts')
    },
    patience,
  )

  test.concurrent.each(['bundler', 'node16', 'nodenext'])(
    'with tsc: the types of every path are there, by the rules of %s',
    async (moduleResolution) => {
      const module = moduleResolution === 'bundler' ? 'esnext' : moduleResolution
      const lib = ['ESNext', 'DOM']
      const compilerOptions = { strict: true, noEmit: true, types: [], lib, module, moduleResolution }
      const config = { compilerOptions, files: ['every-path.ts'] }
      const path = join('types', moduleResolution)
      const project = await place.project(join('bun', path), {
        'every-path.ts': everyPath,
        'tsconfig.json': JSON.stringify(config),
      })
      await place.run(['bun', join(root, 'node_modules/.bin/tsc'), '-p', project], project)
    },
    patience,
  )
})

const installed = (project: string) => join(project, 'node_modules/.bin/sandbox-slots')

/** The server of the installed package, by its command. */
async function startServer(project: string) {
  const command = [
    installed(project),
    'serve',
    '--slots',
    `${3 * slotsOfASuite}`,
    '--port',
    '0',
    ...anyIsolation,
  ]
  const child = Bun.spawn(command, {
    cwd: project,
    env: place.environment(),
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const { value } = await child.stdout.getReader().read()
  return { child, url: new TextDecoder().decode(value).trim() }
}

const page = `
import { startInspector } from 'sandbox-slots/inspector'
const inspector = await startInspector()
console.log(await (await fetch(inspector.url)).text())
await inspector.stop()
`

const misuse = `
import { SandboxExecutor } from 'sandbox-slots'
import { slotMachine } from 'sandbox-slots/actors'
console.log(slotMachine.id)
try {
  new SandboxExecutor({ nothing: 1 })
} catch (error) {
  console.log(error.stack)
}
`

const calls = `${JSON.stringify({ trajectory: 'a', tool: 'bash', args: { command: 'echo $((6 * 7))' } })}\n`

const sourceMap = v.object({ sources: v.array(v.string()) })

/** A package of ES modules is not for `require` in old Node, nor for TypeScript's old resolution without `exports`. */
function isOfModulesOnly(problem: unknown): boolean {
  const { kind, resolutionKind } = v.parse(
    v.object({ kind: v.string(), resolutionKind: v.optional(v.string()) }),
    problem,
  )
  return kind === 'CJSResolvesToESM' || (kind === 'NoResolution' && resolutionKind === 'node10')
}
