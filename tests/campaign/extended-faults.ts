/**
 * Promise 1: 10,000 calls under 5 % faults of 12 kinds; each runs once, its result comes, and a witness outside the
 * server says so. `bun tests/campaign/extended-faults.ts [--calls N] [--rate R] [--seed S]`
 */
import { parseArgs } from 'node:util'
import { runCampaign } from '../faults/twelve-faults.ts'

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '10000' },
    rate: { type: 'string', default: '0.05' },
    seed: { type: 'string', default: '1' },
  },
})
const start = performance.now()
const report = await runCampaign({
  calls: Number(values.calls),
  rate: Number(values.rate),
  seed: Number(values.seed),
})
console.log({ ...report, seconds: Math.round((performance.now() - start) / 1_000) })
process.exitCode = report.violations.length === 0 && report.duplicates === 0 && report.lateMs <= 250 ? 0 : 1
