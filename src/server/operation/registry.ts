/** Numbers in the text format of Prometheus, version 0.0.4. */

/** One line: a name with its ending, the values of its labels, a number. */
interface Sample {
  readonly ending?: string
  readonly labels: readonly (readonly [string, string])[]
  readonly value: number
}

type Kind = 'counter' | 'gauge' | 'histogram'

/** Something that is counted apart for each value of its labels. */
abstract class Metric<N extends string> {
  constructor(
    readonly name: string,
    readonly help: string,
    private readonly labelNames: readonly N[],
  ) {}

  abstract readonly kind: Kind

  protected abstract samples(): Iterable<Sample>

  /** Its lines. */
  text(): string {
    const lines = [`# HELP ${this.name} ${this.help}`, `# TYPE ${this.name} ${this.kind}`]
    for (const { ending = '', labels, value } of this.samples()) {
      const list = labels.map(([name, text]) => `${name}="${escaped(text)}"`).join(',')
      lines.push(`${this.name}${ending}${list === '' ? '' : `{${list}}`} ${numberText(value)}`)
    }
    return `${lines.join('\n')}\n`
  }

  protected keyOf(labels: Readonly<Record<N, string>>): string {
    return JSON.stringify(this.labelNames.map((name) => [name, labels[name]]))
  }

  protected labelsOf(key: string): [string, string][] {
    return JSON.parse(key)
  }
}

/** A number that only grows. */
export class Counter<N extends string> extends Metric<N> {
  readonly kind = 'counter'
  readonly #values = new Map<string, number>()

  add(labels: Readonly<Record<N, string>>, amount = 1): void {
    const key = this.keyOf(labels)
    this.#values.set(key, (this.#values.get(key) ?? 0) + amount)
  }

  protected *samples(): Iterable<Sample> {
    for (const [key, value] of this.#values) yield { labels: this.labelsOf(key), value }
  }
}

/** A number that is asked for when it is read, for each value of its one label. */
export class Gauge<N extends string> extends Metric<N> {
  readonly kind = 'gauge'

  constructor(
    name: string,
    help: string,
    private readonly labelName: N,
    private readonly read: () => Readonly<Record<string, number>>,
  ) {
    super(name, help, [labelName])
  }

  protected *samples(): Iterable<Sample> {
    for (const [text, value] of Object.entries(this.read())) yield { labels: [[this.labelName, text]], value }
  }
}

interface Tally {
  /** How many values each bucket holds, not those below it; the last one holds what is above all. */
  readonly counts: number[]
  sum: number
}

/** How many values are at most as large as each of some bounds. */
export class Histogram<N extends string> extends Metric<N> {
  readonly kind = 'histogram'
  readonly #tallies = new Map<string, Tally>()

  constructor(
    name: string,
    help: string,
    labelNames: readonly N[],
    /** Growing. */
    private readonly bounds: readonly number[],
  ) {
    super(name, help, labelNames)
  }

  observe(labels: Readonly<Record<N, string>>, value: number): void {
    const key = this.keyOf(labels)
    const tally = this.#tallies.get(key) ?? { counts: [...this.bounds.map(() => 0), 0], sum: 0 }
    this.#tallies.set(key, tally)
    const found = this.bounds.findIndex((bound) => value <= bound)
    const bucket = found === -1 ? this.bounds.length : found
    tally.counts[bucket] = (tally.counts[bucket] ?? 0) + 1
    tally.sum += value
  }

  protected *samples(): Iterable<Sample> {
    for (const [key, { counts, sum }] of this.#tallies) {
      const labels = this.labelsOf(key)
      let upTo = 0
      for (const [bucket, count] of counts.entries()) {
        upTo += count
        const bound = numberText(this.bounds[bucket] ?? Number.POSITIVE_INFINITY)
        yield { ending: '_bucket', labels: [...labels, ['le', bound]], value: upTo }
      }
      yield { ending: '_sum', labels, value: sum }
      yield { ending: '_count', labels, value: upTo }
    }
  }
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function numberText(value: number): string {
  return value === Number.POSITIVE_INFINITY ? '+Inf' : String(value)
}
