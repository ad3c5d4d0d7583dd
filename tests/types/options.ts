/** Types: options, and how they are not to be written. Nothing here runs: tsc judges it. */
import {
  nomadDiscovery,
  type ReadArtifactResult,
  SandboxExecutor,
  type Slot,
  SlotPool,
  staticDiscovery,
} from 'sandbox-slots'
import { startInspector } from 'sandbox-slots/inspector'
import { startSandboxServer } from 'sandbox-slots/server'
import { holds, type Same } from './same.ts'

export function executor(slot: Slot): void {
  new SandboxExecutor()
  new SandboxExecutor({ retry: { attempts: 1 }, batching: { windowMs: 5, maxCalls: 10 }, token: 'a' })
  new SandboxExecutor({ fetch, headers: { a: 'b' }, onEvent: (event) => event.type.length })
  new SandboxExecutor({ inspect: { next: (event) => event.type.length } })
  // @ts-expect-error Times are milliseconds, by name.
  new SandboxExecutor({ timeout: 30 })
  // @ts-expect-error It is `attempts`.
  new SandboxExecutor({ retry: { maxRetries: 3 } })
  // @ts-expect-error Milliseconds are a number.
  new SandboxExecutor({ timeoutMs: '30' })
  // @ts-expect-error What is not given is left out.
  new SandboxExecutor({ timeoutMs: undefined })
  // @ts-expect-error An observer takes what is next.
  new SandboxExecutor({ inspect: {} })
  // @ts-expect-error It has no such event.
  new SandboxExecutor({ onEvent: (event: { type: 'nothing' }) => event.type })
  // @ts-expect-error A signal, not what makes it.
  slot.bash('true', { signal: new AbortController() })
  // @ts-expect-error `hex` is no encoding of an artifact.
  slot.artifacts.read('a', { encoding: 'hex' })
  // @ts-expect-error Nor `rar` a format.
  slot.artifacts.archive('.', { format: 'rar' })
  // @ts-expect-error It is `recursive`.
  slot.artifacts.list('.', { deep: true })
}

export async function pool(): Promise<void> {
  await using pool = await SlotPool.start({ discovery: staticDiscovery(['http://127.0.0.1']) })
  await SlotPool.start({ discovery: nomadDiscovery({ url: 'http://127.0.0.1:4646', job: 'sandbox' }) })
  await using lease = await pool.acquire({ trajectoryId: 'a', timeoutMs: 1 })
  holds<Same<typeof lease.signal, AbortSignal>>()
  await lease.release({ reset: false })
  // @ts-expect-error A pool has its containers from somewhere.
  await SlotPool.start({})
  // @ts-expect-error A list of addresses is not yet a discovery.
  await SlotPool.start({ discovery: ['http://127.0.0.1'] })
  // @ts-expect-error A pool is started, not made.
  new SlotPool({ discovery: staticDiscovery([]) })
  // @ts-expect-error It is `reset`.
  await lease.release({ clean: true })
}

export async function server(): Promise<void> {
  await using server = await startSandboxServer({ slots: 2, isolation: 'none', limits: { processes: 64 } })
  holds<Same<typeof server.url, string>>()
  await server.stop({ drainTimeoutMs: 1 })
  // @ts-expect-error There is no such isolation.
  await startSandboxServer({ isolation: 'docker' })
  // @ts-expect-error A port is a number.
  await startSandboxServer({ port: '8080' })
  const inspector = await startInspector()
  new SandboxExecutor({ inspect: inspector.inspect })
  // @ts-expect-error The inspector itself is no observer.
  new SandboxExecutor({ inspect: inspector })
}

export function artifact(file: ReadArtifactResult): void {
  holds<Same<typeof file.content, string>>()
  // @ts-expect-error It is there when it was asked for.
  file.sha256.length
  // @ts-expect-error No answer, no status.
  file.httpStatus.toFixed()
}
