/** Floor 3: what slots a pool has, in words, for who got none. Browser compatible. */
import type { PooledContainer } from './pooled-container.ts'

/** So many containers are named. */
const NAMED = 3

/** As in `4 slots in 2 containers`, or why there are none. */
export function slotsInWords(containers: readonly PooledContainer[]): string {
  const slots = containers.reduce((sum, each) => sum + each.slots.length, 0)
  const troubled = containers.filter(({ trouble }) => trouble !== undefined)
  const named = troubled.slice(0, NAMED).map(({ addr, trouble }) => `; ${addr}: ${trouble}`)
  const more = troubled.length > NAMED ? [`; and ${troubled.length - NAMED} more`] : []
  return `${count(slots, 'slot')} in ${count(containers.length, 'container')}${[...named, ...more].join('')}`
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}
