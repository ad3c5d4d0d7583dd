import { expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { apiOf, exportsOf, undocumented } from './exports.ts'
import { fileAt, root, type SourceFile, sourceFiles } from './sources.ts'

/** Everything that others can build on: who changes a list here changes the product. */
const api: Readonly<Record<string, readonly string[]>> = {
  'mod.ts': [
    'SandboxError',
    'SandboxExecutor',
    'SandboxUsageError',
    'SlotStateError',
    'artifactBytes',
    'createHttpTransport',
    'createMemoryTransport',
    'formatEvent',
    'isSandboxError',
    'toToolResult',
    'type ArchiveArtifactsOptions',
    'type ArchiveArtifactsResult',
    'type ArgsOf',
    'type ArtifactEntry',
    'type ArtifactOutcome',
    'type BashArgs',
    'type BashStatefulArgs',
    'type BatchItem',
    'type CallOptions',
    'type ContainerStatus',
    'type Exchange',
    'type ExecuteOptions',
    'type ExecutionRequest',
    'type ExecutionResult',
    'type ExecutionTuple',
    'type Failure',
    'type FailureCode',
    'type Fetch',
    'type HttpTransportOptions',
    'type Inspect',
    'type KnownTool',
    'type LinkState',
    'type ListArtifactsOptions',
    'type ListArtifactsResult',
    'type Outcome',
    'type ReadArtifactOptions',
    'type ReadArtifactResult',
    'type ReadFileArgs',
    'type SandboxErrorCode',
    'type SandboxEvent',
    'type SandboxExecutorOptions',
    'type Slot',
    'type SlotArtifacts',
    'type SlotInit',
    'type SlotJSON',
    'type SlotState',
    'type Timing',
    'type TmuxArgs',
    'type ToolArgs',
    'type ToolResult',
    'type Transport',
    'type TransportRequest',
    'type WriteFileArgs',
  ],
  'src/actors/mod.ts': [
    'coordinatorMachine',
    'linkStateOf',
    'slotMachine',
    'slotStateOf',
    'type Call',
    'type CoordinatorEvent',
    'type Ended',
    'type Refused',
    'type SlotEvent',
  ],
  'src/server/mod.ts': [
    'startSandboxServer',
    'type SandboxLimits',
    'type SandboxServer',
    'type SandboxServerOptions',
  ],
}

/** Names that are being built: they may be there already. */
const coming: Readonly<Record<string, readonly string[]>> = {
  'src/actors/mod.ts': ['poolMachine', 'type PoolEvent'],
}

for (const [path, names] of Object.entries(api)) {
  test.skipIf(!existsSync(join(root, path)))(`${path} exports what it promises`, async () => {
    const seen = apiOf(fileAt(path))
    expect(seen.filter((name) => !coming[path]?.includes(name))).toEqual([...names])
    const values = seen.filter((name) => !name.startsWith('type '))
    expect(Object.keys(await import(join(root, path))).sort()).toEqual(values)
  })
}

test('what is exported is documented', () => {
  expect(undocumented(sourceFiles(), ['mod.ts', 'src/server/mod.ts'])).toEqual([])
})

test('exports are read in every form', () => {
  const text = [
    `export { a, type B, c as d } from './x.ts'`,
    `export type { E } from './x.ts'`,
    `export interface F { readonly export: string }`,
    `export type G<T> = T`,
    `export const h = () => { return { export: 1 } }`,
    `export async function i() {}`,
    `export abstract class J {}`,
    `export const enum K {}`,
    `// export const l = 1`,
  ].join('\n')
  expect(apiOf({ path: 'src/a.ts', text })).toEqual([
    'J',
    'K',
    'a',
    'd',
    'h',
    'i',
    'type B',
    'type E',
    'type F',
    'type G',
  ])
  expect(exportsOf({ path: 'src/a.ts', text })[2]?.from).toEqual({ path: 'src/x.ts', name: 'c' })
})

test('an export without a comment of its own is seen, through doors too', () => {
  const files: SourceFile[] = [
    { path: 'mod.ts', text: `export { a, b, type C, gone } from './src/a.ts'` },
    {
      path: 'src/a.ts',
      text: `/** Floor 1: a file. */\nexport const a = 1\n/** It is b. */\nexport const b = 2\n// C\nexport type C = 3\n`,
    },
  ]
  expect(undocumented(files, ['mod.ts'])).toEqual([
    'src/a.ts:2 exports a without a TSDoc comment',
    'src/a.ts:6 exports C without a TSDoc comment',
    'src/a.ts does not export gone',
  ])
})
