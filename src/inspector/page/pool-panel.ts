/** The pools: containers with their health and leases, who waits and for how long. */
import type { PoolView } from '../pool-view.ts'
import { headRow, row } from './charts-panel.ts'
import { element, replaceWhen, setText, the } from './dom.ts'
import { count, duration, shortContainer } from './format.ts'
import type { View } from './playback.ts'

/** Hidden while there is no pool. */
export class PoolPanel {
  readonly #panel = the('pool', HTMLElement)
  readonly #numbers = the('pool-numbers', HTMLElement)
  readonly #table = the('pool-table', HTMLTableElement)

  render({ state }: View): void {
    const pools = [...state.pools.values()]
    this.#panel.hidden = pools.length === 0
    if (pools.length === 0) return
    setText(this.#numbers, pools.map((pool) => sentenceOf(pool, state.ms)).join('; '))
    const key = JSON.stringify(pools.map(({ containers }) => containers))
    replaceWhen(this.#table, key, () => [
      element('caption', { class: 'unseen' }, 'Containers of the pool, with their health and leases'),
      headRow(['Container', 'Health', 'Since', 'Slots', 'Leases']),
      ...pools.flatMap(({ containers }) =>
        containers.map(({ addr, state: health, since, slots, leases }) =>
          row([shortContainer(addr), health, duration(since), count(slots), count(leases)]),
        ),
      ),
    ])
  }
}

function sentenceOf({ containers, waiters, waitingSince, waits }: PoolView, now: number): string {
  const leases = containers.reduce((sum, container) => sum + container.leases, 0)
  const [first] = waitingSince
  const waiting =
    first === undefined ? 'nobody waits' : `${count(waiters)} wait, the first for ${duration(now - first)}`
  const sorted = waits.toSorted((a, b) => a - b)
  const median = sorted[Math.floor(sorted.length / 2)]
  const waited =
    median === undefined
      ? ''
      : `, the last ${count(sorted.length)} waited ${duration(median)} (median) to ${duration(sorted.at(-1) ?? 0)}`
  return `${count(leases)} leases, ${waiting}${waited}`
}
