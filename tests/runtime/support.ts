/** What the runtimes' tests share: a real server, a closed address, and what a report must be. */
import { expect } from 'bun:test'
import { join } from 'node:path'
import { isSandboxError } from '../../mod.ts'
import type { SandboxServerOptions } from '../../src/server/options.ts'
import { type SandboxServer, startSandboxServer } from '../../src/server/start-server.ts'
import { checkCount, type SmokeReport } from './smoke.ts'
import type { SmokeSettings } from './smoke-room.ts'

export const root = join(import.meta.dir, '../..')

/** How many slots a suite may use. */
export const slotsOfASuite = 64

/** Starting a runtime on a busy machine takes its time; nothing here asserts one. */
export const patience = 120_000

/** A sandbox server on a free port, isolated where that works. */
export async function startServer(options: SandboxServerOptions = {}): Promise<SandboxServer> {
  try {
    return await startSandboxServer({ slots: slotsOfASuite, ...options })
  } catch (error) {
    if (!isSandboxError(error) || error.code !== 'isolation') throw error
    return startSandboxServer({ slots: slotsOfASuite, isolation: 'none', ...options })
  }
}

/** An address where nobody listens any more. */
export async function closedAddr(): Promise<string> {
  const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response() })
  const { origin } = server.url
  await server.stop(true)
  return origin
}

/** What Bun, Deno and Node have in common. */
export const serverRuntime = { firstSlot: 0, sendsStreams: true, lostPost: 'not-run' } as const

/** The settings of a suite against `server`. */
export async function settingsFor(
  server: SandboxServer,
  runtime: Partial<SmokeSettings> = {},
): Promise<SmokeSettings> {
  return { ...serverRuntime, addr: server.url, closedAddr: await closedAddr(), ...runtime }
}

/** Every check passed. */
export function expectGreen(report: SmokeReport): void {
  expect(report.failed).toEqual([])
  expect(report.passed).toHaveLength(checkCount)
}

/** Runs a command to its end, with `input`; its output, and what it said when it failed. */
export async function outputOf(
  command: string[],
  cwd: string,
  input = '',
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<string> {
  const child = Bun.spawn(command, {
    cwd,
    stdin: Buffer.from(input),
    stdout: 'pipe',
    stderr: 'pipe',
    env: { ...env, NO_COLOR: '1' },
    timeout: patience,
    killSignal: 'SIGKILL',
  })
  const [output, errors, code] = await Promise.all([textOf(child.stdout), textOf(child.stderr), child.exited])
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}:\n${output}\n${errors}`)
  return output
}

function textOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  return new Response(stream).text()
}

/** A module and all that it imports as one script for browsers. */
export async function bundled(path: string): Promise<string> {
  const { success, outputs, logs } = await Bun.build({ entrypoints: [path], target: 'browser' })
  const [script] = outputs
  if (!success || script === undefined) throw new AggregateError(logs, `Cannot bundle ${path}`)
  return script.text()
}
