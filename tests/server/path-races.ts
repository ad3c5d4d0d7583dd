/** Races of symlinks against paths: a process of its own swaps a directory and a symlink that leads outside. */
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Sandbox } from '../../src/server/sandbox.ts'

const secret = 'hunter2-hunter2'
const outside = 'Access denied: path outside workspace'

/** Exchanges `inside` and `out` in one step where the kernel can (renameat2), so that both always exist. */
const swapperSource = `
const { dlopen, ptr } = require('bun:ffi')
const { renameSync, rmSync } = require('node:fs')
const { symbols } = dlopen('libc.so.6', { renameat2: { args: ['i32', 'ptr', 'i32', 'ptr', 'u32'], returns: 'i32' } })
const [a, b] = [process.argv[1] + '\\0', process.argv[2] + '\\0'].map((path) => Buffer.from(path))
for (;;) if (symbols.renameat2(-100, ptr(a), -100, ptr(b), 2) !== 0) throw new Error('renameat2 failed')
`

export interface RaceTally {
  races: number
  /** Answers with the file inside. */
  inside: number
  /** Refusals since the symlink was there. */
  refused: number
  /** Secrets told, and things made or changed outside. */
  escapes: number
  readonly others: Map<string, number>
}

interface Step {
  readonly path: string
  readonly body: object
}

const steps: readonly Step[] = [
  { path: '/execute', body: { tool: 'read_file', args: { path: 'inside/f' } } },
  { path: '/execute', body: { tool: 'write_file', args: { path: 'inside/f', content: 'inside' } } },
  { path: '/execute', body: { tool: 'read_file', args: { path: 'link' } } },
  { path: '/execute', body: { tool: 'write_file', args: { path: 'link', content: 'inside' } } },
  { path: '/execute', body: { tool: 'write_file', args: { path: 'inside/new/g', content: 'inside' } } },
  { path: '/artifacts/read', body: { path: 'inside/f' } },
  { path: '/artifacts/list', body: { path: 'inside', recursive: true } },
  { path: '/artifacts/list', body: { path: '.', recursive: true } },
  { path: '/artifacts/archive', body: { path: 'inside' } },
]

/** Runs operations on paths that change under them until `isDone`. */
export async function racePaths(
  sandbox: Sandbox,
  workspace: string,
  isDone: (tally: RaceTally) => boolean,
): Promise<RaceTally> {
  const target = join(workspace, '../outside')
  const inside = join(workspace, 'inside')
  for (const directory of [target, inside]) mkdirSync(directory)
  writeFileSync(join(target, 'f'), secret)
  writeFileSync(join(target, secret), secret)
  writeFileSync(join(inside, 'f'), 'inside')
  symlinkSync(target, join(workspace, 'out'))
  symlinkSync('inside/f', join(workspace, 'link'))
  const tally: RaceTally = { races: 0, inside: 0, refused: 0, escapes: 0, others: new Map() }
  const swapper = Bun.spawn([process.execPath, '-e', swapperSource, inside, join(workspace, 'out')], {
    stderr: 'pipe',
  })
  try {
    while (!isDone(tally) && tally.escapes === 0 && swapper.exitCode === null) {
      const step = steps[tally.races % steps.length]
      if (step !== undefined) count(tally, await textOf(sandbox, step))
    }
  } finally {
    swapper.kill('SIGKILL')
    await swapper.exited
  }
  const left = readdirSync(target).sort()
  const isWhole = left.length === 2 && readFileSync(join(target, 'f'), 'utf8') === secret
  if (!isWhole) tally.escapes += 1
  return tally
}

async function textOf(sandbox: Sandbox, { path, body }: Step): Promise<string> {
  const text = JSON.stringify({ slot_id: 'slot_0', ...body })
  const request = new Request(`http://127.0.0.1${path}`, { method: 'POST', body: Buffer.from(text) })
  return await (await sandbox.handler(request)).text()
}

function count(tally: RaceTally, text: string): void {
  tally.races += 1
  const { success, error, content } = JSON.parse(text)
  const packed = typeof content === 'string' && content.startsWith('H4sI') ? unpacked(content) : ''
  if ((text + packed).includes(secret)) tally.escapes += 1
  if (success) tally.inside += 1
  else if (error === outside) tally.refused += 1
  else tally.others.set(error, (tally.others.get(error) ?? 0) + 1)
}

function unpacked(base64: string): string {
  return Buffer.from(Bun.gunzipSync(Buffer.from(base64, 'base64'))).toString('latin1')
}
