/**
 * The shape of a campaign's checks: something is done at a size, and figures of it are held against what is asked.
 *
 *     bun tests/campaign/NAME.ts [SIZE] [--quick] [--json]        --UNIT SIZE is the same
 */
import { parseArgs } from 'node:util'
import * as v from 'valibot'

const figure = v.object({
  /** What was counted or measured, with its unit. */
  what: v.string(),
  /** As text: JSON has no NaN and no infinity, and a figure may be one of them. */
  found: v.string(),
  asked: v.string(),
  isMet: v.boolean(),
})

const findings = v.object({
  /** One line: how much was done, of what. */
  done: v.string(),
  figures: v.array(figure),
  /** What was wrong, a sentence each. */
  wrongs: v.array(v.string()),
})

export type Figure = v.InferOutput<typeof figure>
export type Findings = v.InferOutput<typeof findings>

export interface Check {
  /** The name of its file, without the ending. */
  readonly name: string
  /** The promise that it proves, by its number; or `soak`, `fuzz`. */
  readonly row: string
  /** What a size counts. */
  readonly unit: string
  readonly sizes: { readonly full: number; readonly quick: number }
  /** Without it nothing can be said. */
  readonly needs?: 'bubblewrap'
  run(size: number): Promise<Findings>
}

const rounded = (value: number) => String(Number.isInteger(value) ? value : Number(value.toFixed(1)))

export function exactly(what: string, found: number, asked: number): Figure {
  return { what, found: rounded(found), asked: rounded(asked), isMet: found === asked }
}

export function below(what: string, found: number, limit: number): Figure {
  return { what, found: rounded(found), asked: `< ${rounded(limit)}`, isMet: found < limit }
}

export function atMost(what: string, found: number, limit: number): Figure {
  return { what, found: rounded(found), asked: `≤ ${rounded(limit)}`, isMet: found <= limit }
}

export function atLeast(what: string, found: number, limit: number): Figure {
  return { what, found: rounded(found), asked: `≥ ${rounded(limit)}`, isMet: found >= limit }
}

export function isPassed({ figures, wrongs }: Findings): boolean {
  return figures.length > 0 && wrongs.length === 0 && figures.every(({ isMet }) => isMet)
}

/** What a check has printed with `--json`. */
export function parseFindings(line: string): Findings {
  return v.parse(findings, JSON.parse(line))
}

/** Runs a check as the program that it is in a file of its own. */
export async function runAlone(check: Check): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      [check.unit]: { type: 'string' },
    },
    allowPositionals: true,
  })
  const given = positionals[0] ?? values[check.unit]
  const size = given === undefined ? check.sizes[values.quick ? 'quick' : 'full'] : Number(given)
  if (!(size > 0)) throw new Error(`The size must be a number of ${check.unit} above 0, and is ${given}`)
  const found = await check.run(size)
  if (values.json) console.log(JSON.stringify({ ...found, wrongs: found.wrongs.slice(0, 20) }))
  else {
    console.log(`${check.name}: ${found.done}`)
    for (const { what, found: value, asked, isMet } of found.figures)
      console.log(`  ${isMet ? 'ok  ' : 'MISS'} ${value} ${what}, asked ${asked}`)
    for (const wrong of found.wrongs.slice(0, 20)) console.log(`  ${wrong}`)
  }
  if (!isPassed(found)) process.exitCode = 1
}
