import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { Screen } from '../../../src/server/terminal/screen.ts'

const size = { columns: 40, rows: 10 }

const number = fc.constantFrom(
  '',
  '0',
  '1',
  '2',
  '3',
  '7',
  '24',
  '80',
  '999',
  '65535',
  '2147483647',
  '9'.repeat(20),
)
const between = fc.constantFrom(
  '',
  '',
  '',
  ' ',
  '!',
  '"',
  '#',
  '$',
  "'",
  '(',
  ')',
  '*',
  '+',
  '-',
  '.',
  '/',
  '%',
)
const char = (from: number, to: number) =>
  fc.integer({ min: from, max: to }).map((code) => String.fromCharCode(code))
const shown = fc.constantFrom(
  'a',
  '日',
  '😀',
  '\u0301',
  '\u200d',
  '\t',
  '\n',
  '\r',
  '\b',
  '\x0e',
  '\x18',
  'words '.repeat(9),
)

const control = fc
  .tuple(
    fc.constantFrom('\x1b[', '\x9b'),
    fc.constantFrom('', '', '?', '>', '=', '<'),
    fc.array(number, { maxLength: 3 }),
    fc.constantFrom(';', ':'),
    between,
    char(0x40, 0x7e),
  )
  .map(([start, kind, numbers, sign, middle, end]) => start + kind + numbers.join(sign) + middle + end)
const short = fc.tuple(between, char(0x30, 0x7e)).map(([middle, end]) => `\x1b${middle}${end}`)
const command = fc
  .tuple(
    fc.constantFrom('\x1b]', '\x1bP', '\x1b_', '\x1b^'),
    number,
    shown,
    fc.constantFrom('\x07', '\x1b\\', ''),
  )
  .map(([start, code, text, end]) => `${start}${code};${text};${text}${end}`)
const output = fc.array(fc.oneof(control, control, short, command, shown), { minLength: 1, maxLength: 40 })

test('whatever a program prints is drawn, and drawn the same in one piece and in many', async () => {
  await fc.assert(
    fc.asyncProperty(output, async (pieces) => {
      const [whole, parted] = [new Screen(size, () => {}), new Screen(size, () => {})]
      await whole.draw(pieces.join(''))
      for (const piece of pieces.join('')) await parted.draw(piece)
      expect(parted.lines(true)).toEqual(whole.lines(true))
      expect(parted.picture()).toBe(whole.picture())
      whole.dispose()
      parted.dispose()
    }),
    { numRuns: 300 },
  )
})
