import { expect, test } from 'bun:test'
import { join } from 'node:path'
import * as v from 'valibot'
import { apiOf, exportsOf, undocumented } from './exports.ts'
import { fileAt, root, type SourceFile, sourceFiles } from './sources.ts'

/** Everything that others can build on: who changes a list here changes the product. */
const api: Readonly<Record<string, readonly string[]>> = {
  'mod.ts': [
    'AcquireError',
    'JobStartError',
    'LeaseLostError',
    'NomadError',
    'PoolStartError',
    'SandboxError',
    'SandboxExecutor',
    'SandboxUsageError',
    'SlotPool',
    'SlotStateError',
    'artifactBytes',
    'createHttpTransport',
    'createMemoryTransport',
    'ensureJob',
    'formatEvent',
    'isSandboxError',
    'nomadDiscovery',
    'staticDiscovery',
    'toToolResult',
    'type AcquireFailure',
    'type AcquireOptions',
    'type ArchiveArtifactsOptions',
    'type ArchiveArtifactsResult',
    'type ArgsOf',
    'type ArtifactEntry',
    'type ArtifactOutcome',
    'type BashArgs',
    'type BashOptions',
    'type BashStatefulArgs',
    'type BatchItem',
    'type CallOptions',
    'type CaptureOptions',
    'type ContainerState',
    'type ContainerStats',
    'type ContainerStatus',
    'type ContainersFunction',
    'type DiscoveredContainer',
    'type Discovery',
    'type DiscoveryListeners',
    'type DiscoveryScaling',
    'type DiscoveryTrouble',
    'type DownloadResult',
    'type EnsureJobOptions',
    'type EnsuredJob',
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
    'type Lease',
    'type LeaseTuple',
    'type LinkState',
    'type ListArtifactsOptions',
    'type ListArtifactsResult',
    'type NomadAccess',
    'type NomadDiscovery',
    'type NomadDiscoveryOptions',
    'type Outcome',
    'type OutputListener',
    'type PoolEvent',
    'type PoolState',
    'type PoolStats',
    'type ReadArtifactOptions',
    'type ReadArtifactResult',
    'type ReadFileArgs',
    'type ReleaseOptions',
    'type SandboxErrorCode',
    'type SandboxEvent',
    'type SandboxExecutorOptions',
    'type SandboxJob',
    'type ScalingOptions',
    'type SendKeysOptions',
    'type Slot',
    'type SlotArtifacts',
    'type SlotCounts',
    'type SlotInit',
    'type SlotJSON',
    'type SlotPoolOptions',
    'type SlotState',
    'type SlotTerminal',
    'type StartTerminalOptions',
    'type StaticContainer',
    'type StaticDiscovery',
    'type StaticDiscoveryOptions',
    'type StreamBody',
    'type StreamRequest',
    'type Streamed',
    'type Timing',
    'type TmuxArgs',
    'type ToolArgs',
    'type ToolResult',
    'type Transport',
    'type TransportRequest',
    'type UploadData',
    'type UploadResult',
    'type WriteFileArgs',
  ],
  'src/actors/mod.ts': [
    'coordinatorMachine',
    'linkStateOf',
    'poolMachine',
    'slotMachine',
    'slotStateOf',
    'type Call',
    'type CoordinatorEvent',
    'type Ended',
    'type PoolEvent',
    'type Refused',
    'type SlotEvent',
    'withLearnedEdges',
  ],
  'src/inspector/mod.ts': [
    'chartNames',
    'chartSvg',
    'openTrace',
    'startInspector',
    'type ChartName',
    'type Inspector',
    'type InspectorOptions',
    'type InspectorPage',
    'type PageOptions',
  ],
  'src/server/mod.ts': [
    'startSandboxServer',
    'type LogEntry',
    'type LogLevel',
    'type SandboxLimits',
    'type SandboxServer',
    'type SandboxServerOptions',
    'type StopOptions',
  ],
}

const manifest = v.object({ exports: v.record(v.string(), v.string()) })

for (const [path, names] of Object.entries(api)) {
  test(`${path} exports what it promises`, async () => {
    const seen = apiOf(fileAt(path))
    expect(seen).toEqual([...names])
    const values = seen.filter((name) => !name.startsWith('type '))
    expect(Object.keys(await import(join(root, path))).sort()).toEqual(values)
  })
}

test('every path of package.json has its list here', () => {
  const { exports } = v.parse(manifest, JSON.parse(fileAt('package.json').text))
  expect(Object.values(exports)).toEqual(Object.keys(api).map((path) => `./${path}`))
})

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
