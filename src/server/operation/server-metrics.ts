/** What `GET /metrics` tells. Every label has few values, whatever clients send. */
import type { ServerEvent } from './events.ts'
import { Counter, Gauge, Histogram } from './registry.ts'

/** What is read when it is asked for. */
export interface MetricsSource {
  readonly toolNames: ReadonlySet<string>
  slots(): { readonly size: number; readonly executing: number }
}

export const metricsType = 'text/plain; version=0.0.4; charset=utf-8'

/** In seconds. */
const DURATION_BOUNDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800,
]

export class ServerMetrics {
  readonly #calls = new Counter('sandbox_slots_calls_total', 'Tool calls that have ended.', [
    'tool',
    'outcome',
  ])
  readonly #durations = new Histogram(
    'sandbox_slots_call_duration_seconds',
    'Time that tool calls spent in their slot.',
    ['tool'],
    DURATION_BOUNDS,
  )
  readonly #queued = new Histogram(
    'sandbox_slots_call_queue_seconds',
    'Time that tool calls waited for their slot.',
    ['tool'],
    DURATION_BOUNDS,
  )
  readonly #outputBytes = new Counter(
    'sandbox_slots_output_bytes_total',
    'Bytes that tool calls printed or read, also those that were not kept.',
    ['tool'],
  )
  readonly #slots: Gauge<'state'>
  readonly #started = new Counter(
    'sandbox_slots_sandboxes_started_total',
    'Sandboxes started for bash calls.',
    [],
  )
  readonly #ended = new Counter(
    'sandbox_slots_sandboxes_ended_total',
    'Sandboxes that ended: used by a call, thrown away unused, or failed to start.',
    ['how'],
  )
  readonly #requests = new Counter('sandbox_slots_http_requests_total', 'HTTP requests answered.', [
    'route',
    'status',
  ])
  readonly #toolNames: ReadonlySet<string>

  constructor(source: MetricsSource) {
    this.#toolNames = source.toolNames
    this.#slots = new Gauge('sandbox_slots_slots', 'Slots by state.', 'state', () => {
      const { size, executing } = source.slots()
      return { available: size - executing, executing }
    })
    for (const how of ['used', 'unused', 'failed']) this.#ended.add({ how }, 0)
    this.#started.add({}, 0)
  }

  tell(event: ServerEvent): void {
    switch (event.type) {
      case 'call.finished': {
        const tool = this.#toolNames.has(event.tool) ? event.tool : 'other'
        this.#calls.add({ tool, outcome: event.outcome })
        if (event.outcome === 'not-run') return
        this.#durations.observe({ tool }, event.durationMs / 1_000)
        this.#queued.observe({ tool }, event.queuedMs / 1_000)
        this.#outputBytes.add({ tool }, event.outputBytes)
        return
      }
      case 'sandbox.started':
        this.#started.add({})
        return
      case 'sandbox.ended':
        this.#ended.add({ how: event.how })
        return
      case 'request.answered':
        this.#requests.add({ route: event.route, status: String(event.status) })
    }
  }

  text(): string {
    const all = [
      this.#calls,
      this.#durations,
      this.#queued,
      this.#outputBytes,
      this.#slots,
      this.#started,
      this.#ended,
      this.#requests,
    ]
    return all.map((metric) => metric.text()).join('')
  }
}
