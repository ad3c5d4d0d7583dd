/** Reads the text format of Prometheus, strictly; written for the tests alone. */

const line = /^([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+)\})? (\+Inf|[0-9.e+-]+)$/

/** The samples by name and labels, as `calls_total{tool="bash"}`; throws at a line that is none, or comes twice. */
export function scrape(text: string): Map<string, number> {
  if (!text.endsWith('\n')) throw new Error('the last line is not ended')
  const samples = new Map<string, number>()
  for (const one of text.slice(0, -1).split('\n')) {
    if (/^# (HELP [a-z_]+ .+|TYPE [a-z_]+ (counter|gauge|histogram))$/.test(one)) continue
    const match = line.exec(one)
    const value = Number(match?.[3])
    if (match === null || Number.isNaN(value)) throw new Error(`not a sample: ${one}`)
    const key = one.slice(0, one.lastIndexOf(' '))
    if (samples.has(key)) throw new Error(`twice: ${key}`)
    samples.set(key, value)
  }
  return samples
}
