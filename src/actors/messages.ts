/** Floor 2: every event that actors exchange. Plain data; what a call's promise is, only the executor knows. */
import type { Lane } from '../batching/lanes.ts'
import type { Failed, Settlement } from '../batching/settlement.ts'
import type { Feature } from '../protocol/health.ts'
import type { PostRoute } from '../protocol/routes.ts'

/** One piece of a slot's work: a tool call, a reset, an artifact or a file, ready to be sent. */
export interface Call {
  readonly executionId: string
  /** Where it goes alone; a tool call may share a `/batch` with others. */
  readonly route: Exclude<PostRoute, '/batch'> | '/files'
  readonly lane: Lane
  /** Its request as JSON text. */
  readonly body: string
  /** The bytes of `body`. */
  readonly bytes: number
  /** What the tool may take. */
  readonly timeoutMs: number
  /** What its server must have beyond the base protocol. */
  readonly needs: readonly Feature[]
}

/** A call came to its end. */
export interface Ended<C extends Call = Call> {
  readonly call: C
  readonly settlement: Settlement
}

/** Calls that waited in a slot and end there, and why. */
export interface Refused<C extends Call = Call> {
  readonly refused: readonly C[]
  readonly failure: Failed
}

/** What a slot's chart understands. */
export type SlotEvent<C extends Call = Call> =
  | { readonly type: 'acquire'; readonly trajectoryId: string | null }
  | ({ readonly type: 'release' } & Refused<C>)
  | ({ readonly type: 'release.reset'; readonly call: C } & Refused<C>)
  /** A tool or artifact call came. */
  | { readonly type: 'execute'; readonly call: C }
  | { readonly type: 'reset'; readonly call: C }
  /** The caller gave up a call that is posted, and the server cannot end it. */
  | ({ readonly type: 'cancel' } & Ended<C>)
  /** The caller gave up a call that is posted, and the server can end it. */
  | { readonly type: 'cancel.ask'; readonly call: C }
  /** The call that ran has ended; nothing waits. */
  | ({ readonly type: 'settled' } & Ended<C>)
  /** The call that ran has ended, and the next one starts. */
  | ({ readonly type: 'settled.next'; readonly next: C } & Ended<C>)
  /** The call that ran has ended, and a reset starts. */
  | ({ readonly type: 'settled.reset'; readonly next: C } & Ended<C>)
  | ({ readonly type: 'reset.failed' } & Ended<C> & Refused<C>)
  | ({ readonly type: 'fault' } & Refused<C>)

/** What a coordinator's chart understands. Each of `batches` becomes one post. */
export type CoordinatorEvent<C extends Call = Call> =
  /** The first call of a tick came. */
  | { readonly type: 'tick.start' }
  /** The tick is over: these go out. */
  | { readonly type: 'tick.post'; readonly batches: readonly (readonly C[])[] }
  /** The tick is over, and nobody knows yet whether the container is there. */
  | { readonly type: 'tick.probe' }
  /** The tick is over; its calls wait until the link is up. */
  | { readonly type: 'tick.hold' }
  /** The tick is over, and all its calls have left. */
  | { readonly type: 'tick.empty' }
  /** Within a tick a batch is full, or part of a post goes out again. */
  | { readonly type: 'post.more'; readonly batches: readonly (readonly C[])[] }
  /** The answer of a post has begun: its results come as its calls end. */
  | { readonly type: 'post.answering' }
  /** A post has ended, others are on their way. */
  | { readonly type: 'post.ended' }
  /** The last post has ended. */
  | { readonly type: 'post.drained' }
  /** The container is there, and speaks the base protocol. */
  | { readonly type: 'probe.base' }
  /** The container is there, and has a ledger: results come back one by one, and may be asked for again. */
  | { readonly type: 'probe.extended' }
  | { readonly type: 'probe.failed' }
  /** The container could not be reached, cut an answer again, or asked for a pause. */
  | { readonly type: 'link.lost' }
  /** The container cut an answer, or is another one than was thought. */
  | { readonly type: 'link.doubted' }
  /** The same, and no call waits. */
  | { readonly type: 'link.doubted.idle' }
  | { readonly type: 'pause.over' }
  /** The pause is over, and no call waits. */
  | { readonly type: 'pause.idle' }
  /** The tick is over: these were given up while they were posted. */
  | { readonly type: 'cancel.post'; readonly calls: readonly C[] }
  /** A cancellation has its answer, others are on their way. */
  | { readonly type: 'cancel.ended' }
  /** The last cancellation has its answer. */
  | { readonly type: 'cancel.drained' }

/** What a pool's chart understands. */
export type PoolEvent =
  /** The first containers are known. */
  | { readonly type: 'ready' }
  /** A slot is free, or somebody waits for one. */
  | { readonly type: 'slots.freed' }
  /** What happened, for those who watch: told only while somebody inspects. */
  | { readonly type: 'told'; readonly told: object }
  /** It is time to look at the health of the container of this address. */
  | { readonly type: 'health.due'; readonly container: string }
  | { readonly type: 'stop' }
  /** No lease is held any more, or their time is over. */
  | { readonly type: 'drained' }
