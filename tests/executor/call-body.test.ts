import { describe, expect, test } from 'bun:test'
import { type Args, byteLength, smallBound, smallBytes, toolBody } from '../../src/executor/call-body.ts'
import { randomOf } from '../support/random.ts'

function body(args: Args, isLive = false) {
  return toolBody('slot_0', 'bash', args, 'an-id', 1_500, isLive)
}

function textOf({ json, text }: ReturnType<typeof body>): string {
  return text ?? JSON.stringify(json)
}

test('a request has what the protocol asks for', () => {
  expect(JSON.parse(textOf(body({ command: 'x' })))).toEqual({
    slot_id: 'slot_0',
    tool: 'bash',
    args: { command: 'x' },
    execution_id: 'an-id',
    timeout: 1.5,
  })
  expect(JSON.parse(textOf(body({ command: 'x' }, true)))).toMatchObject({ live: true })
})

describe('what the caller changes afterwards changes nothing', () => {
  test('in small plain arguments', () => {
    const args: Record<string, unknown> = { command: 'before' }
    const made = body(args)
    args.command = 'after'
    expect(made.json).toBeDefined()
    expect(textOf(made)).toContain('"args":{"command":"before"}')
  })

  test.each([
    ['what is within them', { env: { A: 'before' } }],
    ['a list', { files: ['before'] }],
    ['a date', { at: new Date(0) }],
    [
      'a getter of a class',
      new (class {
        [key: string]: unknown
        toJSON() {
          return { command: 'before' }
        }
      })(),
    ],
    ['a function that makes JSON', { toJSON: () => ({ command: 'before' }) }],
    ['a text that is long', { content: 'x'.repeat(smallBytes) }],
  ])('in %s: it is a text at once', (_, args: Args) => {
    const made = body(args)
    expect(made.json).toBeUndefined()
    expect(textOf(made)).toContain(`"args":${JSON.stringify(args)}`)
    expect(made.bytes).toBe(byteLength(textOf(made)))
  })
})

test('a small body has at most the bytes that it is counted with, whatever is in it', () => {
  const random = randomOf(7)
  const pieces = [
    'a',
    '"',
    '\\',
    '\n',
    '\u0000',
    'é',
    '漢',
    '😀',
    '\ud800',
    1,
    -1.5e-300,
    Number.MAX_VALUE,
    NaN,
    true,
    null,
    undefined,
  ]
  let small = 0
  for (let round = 0; round < 5_000; round += 1) {
    const piece = () => pieces[Math.floor(random() * pieces.length)]
    const name = () => String(piece()).repeat(Math.floor(random() * 4))
    const value = () => {
      const one = piece()
      return typeof one === 'string' ? one.repeat(Math.floor(random() * 100)) : one
    }
    const args = Object.fromEntries(Array.from({ length: Math.floor(random() * 5) }, () => [name(), value()]))
    const id = String(piece())
    const made = toolBody('slot_0', name(), args, id, 1_000 / 3, random() < 0.5)
    if (made.json === undefined) continue
    small += 1
    expect(byteLength(textOf(made))).toBeLessThanOrEqual(made.bytes)
    expect(made.bytes).toBeLessThanOrEqual(smallBytes)
  }
  expect(small).toBeGreaterThan(1_000)
})

test('what no JSON can be made of is refused, whatever its size', () => {
  const round: Record<string, unknown> = {}
  round.itself = round
  for (const args of [round, { count: 1n }]) {
    expect(() => body(args)).toThrow('Cannot use these args: they do not turn into JSON')
  }
})

test('arguments without a prototype are plain too', () => {
  expect(smallBound(0, Object.assign(Object.create(null), { command: 'x' }))).toBeGreaterThan(0)
})
