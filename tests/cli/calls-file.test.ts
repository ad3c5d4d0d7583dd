import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { CommandFailure } from '../../src/cli/failure.ts'
import { parseCalls, trajectoriesOf } from '../../src/cli/job/calls-file.ts'

const good = '{"trajectory": "a", "tool": "bash", "args": {"command": "true"}}'

function complaint(text: string): string {
  try {
    parseCalls(text, 'calls.jsonl')
  } catch (thrown) {
    if (thrown instanceof CommandFailure) return thrown.message
    throw thrown
  }
  throw new Error('It was accepted')
}

describe('a calls file', () => {
  test('is read with line numbers from 0 and milliseconds', () => {
    const calls = parseCalls(`${good}\n{"trajectory":"b","tool":"x","args":{},"timeout_s":1.5}\n`, 'f')
    expect(calls).toEqual([
      { index: 0, trajectory: 'a', tool: 'bash', args: { command: 'true' }, timeoutMs: undefined },
      { index: 1, trajectory: 'b', tool: 'x', args: {}, timeoutMs: 1500 },
    ])
  })

  test('needs no newline at its end, and may have carriage returns and a byte order mark', () => {
    expect(parseCalls(good, 'f')).toHaveLength(1)
    expect(parseCalls(`${good}\r\n${good}\r\n`, 'f')).toHaveLength(2)
  })

  test('may hold the same call twice', () => {
    expect(parseCalls(`${good}\n${good}\n`, 'f').map(({ index }) => index)).toEqual([0, 1])
  })

  test('keeps arguments whatever their names are', () => {
    const [call] = parseCalls('{"trajectory":"a","tool":"t","args":{"constructor":1,"__proto__":2}}', 'f')
    expect(Object.entries(call?.args ?? {})).toEqual([
      ['constructor', 1],
      ['__proto__', 2],
    ])
  })

  test.each([
    ['', 'The calls file calls.jsonl is empty: it must hold one call a line, like {"trajectory": "t1"'],
    ['\n \n', 'The calls file calls.jsonl is empty'],
    [`${good}\n\n${good}`, 'calls.jsonl:2: the line is empty; it must be a JSON object'],
    [`${good}\n{"trajectory"`, 'calls.jsonl:2: the line is not JSON ('],
    ['[]', 'calls.jsonl:1: the line must be a JSON object, not an array'],
    ['7', 'calls.jsonl:1: the line must be a JSON object, not 7'],
    ['null', 'calls.jsonl:1: the line must be a JSON object, not null'],
    ['{"tool":"bash","args":{}}', 'calls.jsonl:1: key "trajectory" is missing'],
    ['{"trajectory":"","tool":"bash","args":{}}', 'calls.jsonl:1: trajectory must not be empty, not ""'],
    ['{"trajectory":7,"tool":"bash","args":{}}', 'calls.jsonl:1: trajectory must be a string, not 7'],
    ['{"trajectory":"a","args":{}}', 'calls.jsonl:1: key "tool" is missing'],
    ['{"trajectory":"a","tool":"bash"}', 'calls.jsonl:1: key "args" is missing'],
    ['{"trajectory":"a","tool":"bash","args":[]}', 'calls.jsonl:1: args must be an object, not an array'],
    ['{"trajectory":"a","tool":"bash","args":null}', 'calls.jsonl:1: args must be an object, not null'],
    [
      '{"trajectory":"a","tool":"bash","args":{"cmd":"ls"}}',
      'calls.jsonl:1: args.cmd of bash is unknown: bash',
    ],
    [
      '{"trajectory":"a","tool":"bash","args":{"command":7}}',
      'calls.jsonl:1: args.command of bash must be a',
    ],
    [
      '{"trajectory":"a","tool":"write_file","args":{"path":"a"}}',
      'calls.jsonl:1: args.content of write_file is missing',
    ],
    [
      '{"trajectory":"a","tool":"t","args":{},"timeout":5}',
      'calls.jsonl:1: unknown key "timeout"; known: trajectory, tool, args, timeout_s',
    ],
    ['{"trajectory":"\\ud800","tool":"t","args":{}}', 'calls.jsonl:1: trajectory must not hold half of a'],
  ])('%j is refused', (text, sentence) => {
    expect(complaint(text)).toStartWith(sentence)
    expect(complaint(text)).not.toContain('\n')
  })

  test.each(['0', '-1', '1e9', '1e999', '"5"', 'null', 'true'])('timeout_s %s is refused', (timeout) => {
    const text = `{"trajectory":"a","tool":"t","args":{},"timeout_s":${timeout}}`
    expect(complaint(text)).toStartWith(
      'calls.jsonl:1: timeout_s must be a number of seconds above 0 and at most 86400, not ',
    )
  })

  test('is refused in one line, whatever is in it', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (line) => {
        const calls = `${good}\n${line.replaceAll('\n', ' ')}|\n`
        expect(complaint(calls)).toMatch(/^calls\.jsonl:2: [^\n]+$/)
      }),
    )
  })
})

describe('trajectories', () => {
  test('begin in the order of the file and keep the order of their calls, also when they are mixed', () => {
    const calls = ['b', 'a', 'b', 'c', 'a'].map((trajectory, index) => {
      return { index, trajectory, tool: 't', args: {}, timeoutMs: undefined }
    })
    const found = trajectoriesOf(calls).map(({ id, calls }) => [id, calls.map(({ index }) => index)])
    expect(found).toEqual([
      ['b', [0, 2]],
      ['a', [1, 4]],
      ['c', [3]],
    ])
  })
})
