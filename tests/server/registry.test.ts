import { expect, test } from 'bun:test'
import { Counter, Gauge, Histogram } from '../../src/server/operation/registry.ts'

test('a counter counts apart for each value of its labels', () => {
  const counter = new Counter('calls_total', 'Calls.', ['tool', 'outcome'])
  counter.add({ tool: 'bash', outcome: 'failed' })
  counter.add({ outcome: 'failed', tool: 'bash' }, 2)
  counter.add({ tool: 'bash', outcome: 'succeeded' }, 0)
  expect(counter.text()).toBe(
    [
      '# HELP calls_total Calls.',
      '# TYPE calls_total counter',
      'calls_total{tool="bash",outcome="failed"} 3',
      'calls_total{tool="bash",outcome="succeeded"} 0',
      '',
    ].join('\n'),
  )
})

test('values of labels are escaped', () => {
  const counter = new Counter('x', 'X.', ['name'])
  counter.add({ name: 'a"b\\c\nd' })
  expect(counter.text()).toContain('x{name="a\\"b\\\\c\\nd"} 1\n')
})

test('a metric without labels has no braces', () => {
  const counter = new Counter('x', 'X.', [])
  counter.add({})
  expect(counter.text()).toContain('\nx 1\n')
})

test('a gauge is read when it is asked for', () => {
  let executing = 1
  const gauge = new Gauge('slots', 'Slots.', 'state', () => ({ executing }))
  executing = 3
  expect(gauge.text()).toContain('slots{state="executing"} 3\n')
})

test('buckets of a histogram hold what is at most as large, the last one all', () => {
  const histogram = new Histogram('seconds', 'Time.', ['tool'], [0.5, 1])
  for (const value of [0.25, 0.5, 0.75, 8]) histogram.observe({ tool: 'bash' }, value)
  expect(histogram.text().split('\n').slice(2)).toEqual([
    'seconds_bucket{tool="bash",le="0.5"} 2',
    'seconds_bucket{tool="bash",le="1"} 3',
    'seconds_bucket{tool="bash",le="+Inf"} 4',
    'seconds_sum{tool="bash"} 9.5',
    'seconds_count{tool="bash"} 4',
    '',
  ])
})
