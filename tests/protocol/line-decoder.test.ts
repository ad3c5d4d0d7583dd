import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { LineDecoder } from '../../src/protocol/line-decoder.ts'

function linesOf(bytes: Uint8Array, sizes: readonly number[], maxCharacters = Infinity) {
  const decoder = new LineDecoder(maxCharacters)
  const lines: string[] = []
  let at = 0
  for (let index = 0; at < bytes.length; index += 1) {
    const size = sizes[index % sizes.length] ?? 1
    lines.push(...decoder.push(bytes.subarray(at, at + size)))
    at += size
  }
  return { lines, decoder }
}

test('the lines are the same, however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\n'))),
      fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }),
      (texts, sizes) => {
        const bytes = new TextEncoder().encode(texts.map((text) => `${text}\n`).join(''))
        const expected = texts.map((text) => (text.startsWith('\uFEFF') ? undefined : text))
        // A byte order mark at the very beginning is none of the text.
        if (expected[0] === undefined && texts.length > 0) return
        expect(linesOf(bytes, sizes).lines).toEqual(texts)
      },
    ),
  )
})

test('what comes after the last newline is no line yet', () => {
  const { lines, decoder } = linesOf(new TextEncoder().encode('a\nb'), [2])
  expect(lines).toEqual(['a'])
  expect(decoder.push(new TextEncoder().encode('c\n'))).toEqual(['bc'])
})

test('a line over the limit is passed over and counted, the others are not touched', () => {
  const bytes = new TextEncoder().encode('12345\n123456\n\n12345\n')
  const { lines, decoder } = linesOf(bytes, [4], 5)
  expect(lines).toEqual(['12345', '', '12345'])
  expect([decoder.overlong, decoder.characters]).toEqual([1, 16])
})

test('a line in 20,000 pieces takes no time that grows with its square', () => {
  const decoder = new LineDecoder(Infinity)
  const piece = new TextEncoder().encode('x'.repeat(1_000))
  for (let count = 0; count < 20_000; count += 1) decoder.push(piece)
  expect(decoder.push(new TextEncoder().encode('\n'))[0]).toHaveLength(20_000_000)
})
