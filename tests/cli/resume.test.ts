import { describe, expect, test } from 'bun:test'
import { trajectoriesOf } from '../../src/cli/job/calls-file.ts'
import { parseResults, planResume } from '../../src/cli/job/resume.ts'

const trajectories = trajectoriesOf(
  ['a', 'a', 'b', 'b', 'c'].map((trajectory, index) => {
    return { index, trajectory, tool: 'bash', args: {}, timeoutMs: undefined }
  }),
)

function line(index: number, trajectory: string, outcome = 'exited', tool = 'bash'): string {
  return JSON.stringify({ index, trajectory, tool, success: outcome === 'exited', outcome, output: 'x' })
}

function plan(lines: readonly string[], end = '\n') {
  const { kept, waiting } = planResume(
    trajectories,
    parseResults(lines.join('\n') + end, 'r.jsonl'),
    'r.jsonl',
  )
  return { kept: kept.map((record) => record.line), waiting: waiting.map(({ id }) => id) }
}

describe('resuming', () => {
  test('skips trajectories whose calls all have a line, and drops the lines of the others', () => {
    const lines = [line(0, 'a'), line(2, 'b'), line(1, 'a')]
    expect(plan(lines)).toEqual({ kept: [line(0, 'a'), line(1, 'a')], waiting: ['b', 'c'] })
  })

  test('skips a trajectory whatever the outcome of its calls was', () => {
    expect(plan([line(4, 'c', 'not-run')]).waiting).toEqual(['a', 'b'])
  })

  test('has nothing to do when every call has a line', () => {
    const lines = [line(4, 'c'), line(3, 'b'), line(2, 'b'), line(1, 'a'), line(0, 'a')]
    expect(plan(lines)).toEqual({ kept: lines, waiting: [] })
  })

  test('tolerates a last line that a crash has cut', () => {
    const cut = line(4, 'c').slice(0, 30)
    expect(plan([line(0, 'a'), line(1, 'a'), cut], '')).toEqual({
      kept: [line(0, 'a'), line(1, 'a')],
      waiting: ['b', 'c'],
    })
  })

  test('keeps a last line that only lacks its newline', () => {
    expect(plan([line(4, 'c')], '').kept).toEqual([line(4, 'c')])
  })

  test('of an empty file runs everything', () => {
    expect(plan([], '').waiting).toEqual(['a', 'b', 'c'])
  })

  test('lets a later line of the same call stand for the earlier one', () => {
    expect(plan([line(4, 'c', 'unknown'), line(4, 'c')]).kept).toEqual([line(4, 'c')])
  })

  test.each([
    [line(0, 'b'), 'call 0 was bash of "b", and in the calls file it is bash of "a"'],
    [line(0, 'a', 'exited', 'tmux'), 'call 0 was tmux of "a", and in the calls file it is bash of "a"'],
    [line(99, 'a'), 'call 99 was bash of "a", and in the calls file it is not there'],
  ])('refuses the results of other calls: %s', (text, sentence) => {
    expect(() => plan([line(4, 'c'), text])).toThrow(
      `r.jsonl:2: cannot resume, the results are of other calls: ${sentence}`,
    )
  })

  test.each([
    ['{"index"', 'r.jsonl:1: the line is not JSON'],
    ['{}', 'r.jsonl:1: key "index" is missing'],
    [line(0, 'a', 'done'), 'r.jsonl:1: outcome must be one of exited, timed-out'],
  ])('refuses what is no results file: %s', (text, sentence) => {
    expect(() => plan([text, line(1, 'a')])).toThrow(sentence)
  })
})
