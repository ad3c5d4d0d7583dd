/** Floor 3: what came of a post. Browser compatible. */
import type { Failed, Settlement } from '../batching/settlement.ts'
import type { Verdict } from '../retrying/verdict.ts'

/** What a post brought: one settlement for each call, in their order, or a verdict on all that have none. */
export type Delivery =
  | { readonly kind: 'delivered'; readonly settlements: readonly Settlement[]; readonly failure?: Failed }
  | Exclude<Verdict, { kind: 'settle' }>
