/** Texts with some of them cut out, doubled, or replaced by what JSON is made of. */
import fc from 'fast-check'

export interface Damage {
  /** Where, as a share of the text. */
  readonly at: number
  /** How many characters are lost. */
  readonly length: number
  /** What comes in their place. */
  readonly with: string
}

const junk = fc.constantFrom(
  '{',
  '}',
  '[',
  ']',
  '"',
  ',',
  ':',
  '\\',
  '\\ud800',
  '\0',
  '1e999',
  '-',
  'null',
  '{}',
  '',
)

export const damages: fc.Arbitrary<readonly Damage[]> = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    length: fc.nat({ max: 12 }),
    with: fc.oneof(junk, fc.string({ maxLength: 5 })),
  }),
  { minLength: 1, maxLength: 4 },
)

export function damage(text: string, given: readonly Damage[]): string {
  return given.reduce((rest, { at, length, with: put }) => {
    const start = Math.floor(at * rest.length)
    return rest.slice(0, start) + put + rest.slice(start + length)
  }, text)
}
