import { describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { demoCalls } from '../../src/cli/demo-job.ts'
import { trajectoriesOf } from '../../src/cli/job/calls-file.ts'

/** What a machine with bash and coreutils has, and no more of what the job could use. */
const programs = [
  'bash',
  'cat',
  'cut',
  'factor',
  'head',
  'ls',
  'seq',
  'sha256sum',
  'sort',
  'tail',
  'tr',
  'uniq',
  'wc',
]

describe('the bundled job', () => {
  test('needs nothing but bash and coreutils', async () => {
    const root = mkdtempSync(join(tmpdir(), 'demo-job-'))
    const bin = join(root, 'bin')
    mkdirSync(bin)
    for (const program of programs) symlinkSync(Bun.which(program) ?? '', join(bin, program))
    try {
      for (const { id, calls } of trajectoriesOf(demoCalls)) {
        const workspace = join(root, id)
        mkdirSync(workspace)
        for (const { tool, args } of calls) {
          const path = join(workspace, String(args.path))
          if (tool === 'write_file') {
            mkdirSync(dirname(path), { recursive: true })
            await Bun.write(path, String(args.content))
          } else if (tool === 'read_file') {
            expect(await Bun.file(path).exists()).toBe(true)
          } else {
            const options = { cwd: workspace, env: { PATH: bin } }
            const run = Bun.spawnSync([join(bin, 'bash'), '-c', String(args.command)], options)
            expect(run.stderr.toString()).toBe('')
            expect(run.exitCode).toBe(0)
          }
        }
      }
    } finally {
      rmSync(root, { recursive: true, force: true })
    }
  })

  test('has more trajectories than slots, so that slots are used again', () => {
    expect(trajectoriesOf(demoCalls).length).toBeGreaterThan(8)
  })
})
