/**
 * What was begun here, and how it ended: so that no call ever runs twice. SQLite, kept with the data.
 *
 * "Begun" is on the disk before anything of a call runs: one commit for each POST, one sync for all commits that wait for
 * it, off this thread. Results are committed together, once a tick, and told then. They outlive the server; when the
 * whole machine fails, the last ones may be lost: what is begun and has no result is `unfinished`, and never run again.
 */
import { Database } from 'bun:sqlite'
import { closeSync, fdatasync, openSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describeThrown, SandboxError } from '../../errors.ts'
import { now, prepare, type Statements, statementsOf } from './schema.ts'

export interface LedgerOptions {
  /** A finished call is known for at least so long after its end, and after the last moment that it could have ended. */
  readonly retentionS: number
  /** Beyond this the oldest results are dropped; that their calls have run stays known. */
  readonly maxResultBytes: number
  /** Whether it must outlive this server: data that is temporary has a ledger that is. */
  readonly isDurable: boolean
  /** Of 4 KiB, at most: for tests of a disk that is full. */
  readonly maxPages?: number
}

const usual = { retentionS: 600, maxResultBytes: 256 * 2 ** 20 } as const

/** The directory in the data directory. Closed to all but the server's user. */
const directoryName = '.sandbox-slots-ledger'

/** What the ledger knows of a call that comes in. */
export type Known =
  | { readonly kind: 'new' }
  /** Another call has had this id. */
  | { readonly kind: 'conflict' }
  /** Begun, and no result is there: it runs, or its server ended. */
  | { readonly kind: 'unfinished' }
  /** `result` is empty when it was dropped. */
  | { readonly kind: 'finished'; readonly result: string }

export interface Claim {
  readonly executionId: string
  /** Tells one call from another. */
  readonly body: Uint8Array
  readonly timeoutS: number
}

interface Ended {
  readonly executionId: string
  readonly result: string
  readonly recorded: PromiseWithResolvers<void>
}

/** Expired calls are forgotten so often. */
const PRUNE_EVERY_S = 1

const syncFd = promisify(fdatasync)

/** Opens the ledger of a data directory, or makes it. Throws a SandboxError `server` that names it. */
export async function openLedger(
  dataDir: string,
  options: Partial<LedgerOptions> & Pick<LedgerOptions, 'isDurable'>,
): Promise<Ledger> {
  const directory = join(dataDir, directoryName)
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    return new Ledger(join(directory, 'ledger.sqlite'), { ...usual, ...options })
  } catch (thrown) {
    const message = `Cannot open the ledger in ${directory}: ${describeThrown(thrown)}`
    throw new SandboxError('server', message, { cause: thrown })
  }
}

export class Ledger {
  /** Kept with the data. */
  readonly id: string
  readonly #db: Database
  readonly #options: LedgerOptions
  readonly #walFd: number | null
  readonly #statements: Statements
  #wantedSync: PromiseWithResolvers<void> | null = null
  #isSyncing = false
  #syncs = 0
  #ended: Ended[] = []
  #resultBytes: number
  #prunedAt = 0
  #isClosed = false

  constructor(path: string, options: LedgerOptions) {
    this.#options = options
    this.#db = new Database(path)
    this.#db.run('PRAGMA locking_mode = EXCLUSIVE')
    // Commits are synced here (#sync); SQLite syncs before it moves them out of the log. What nobody reads after this
    // server is written once, and what undoes it is kept in memory.
    this.#db.run(`PRAGMA journal_mode = ${options.isDurable ? 'WAL' : 'MEMORY'}`)
    this.#db.run(`PRAGMA synchronous = ${options.isDurable ? 'NORMAL' : 'OFF'}`)
    if (options.maxPages !== undefined) this.#db.run(`PRAGMA max_page_count = ${options.maxPages}`)
    this.id = prepare(this.#db, options.retentionS)
    this.#walFd = options.isDurable ? openSync(`${path}-wal`, 'r') : null
    this.#statements = statementsOf(this.#db)
    this.#resultBytes = this.#statements.resultBytes.get()?.bytes ?? 0
  }

  get retentionS(): number {
    return this.#options.retentionS
  }

  /** Runs `work`, whose claims are kept all or, when it throws, none. */
  together<T>(work: () => T): T {
    return this.#db.transaction(work).immediate()
  }

  /** Writes down that a call begins, unless it is known. */
  claim({ executionId, body, timeoutS }: Claim): Known {
    const { insert, find } = this.#statements
    if (insert.run(executionId, body, now() + timeoutS).changes > 0) return { kind: 'new' }
    const row = find.get(executionId)
    if (row === null) throw new Error(`the ledger lost call ${executionId}`)
    if (!Buffer.from(row.body).equals(body)) return { kind: 'conflict' }
    return row.result === null ? { kind: 'unfinished' } : { kind: 'finished', result: row.result }
  }

  /** Resolves when all that is claimed now is on the disk. */
  durable(): Promise<void> {
    if (this.#walFd === null) return Promise.resolve()
    this.#wantedSync ??= Promise.withResolvers<void>()
    const { promise } = this.#wantedSync
    if (!this.#isSyncing) void this.#sync(this.#walFd)
    return promise
  }

  /** How many syncs there were. */
  get syncs(): number {
    return this.#syncs
  }

  /** One sync at a time: those who ask meanwhile share the next, since the one under way may have begun too early. */
  async #sync(fd: number): Promise<void> {
    this.#isSyncing = true
    for (let wanted = this.#wantedSync; wanted !== null; wanted = this.#wantedSync) {
      this.#wantedSync = null
      this.#syncs += 1
      await syncFd(fd).then(wanted.resolve, wanted.reject)
    }
    this.#isSyncing = false
  }

  /** Resolves when the result is written down, together with the others of this tick. */
  finish(executionId: string, result: string): Promise<void> {
    if (this.#ended.length === 0) setImmediate(() => this.#recordEnded())
    const recorded = Promise.withResolvers<void>()
    this.#ended.push({ executionId, result, recorded })
    return recorded.promise
  }

  #recordEnded(): void {
    const ended = this.#ended
    this.#ended = []
    const { retentionS } = this.#options
    try {
      this.together(() => {
        for (const { executionId, result } of ended) {
          this.#statements.finish.run(result, result.length, now(), retentionS, executionId)
        }
        this.#prune(ended.reduce((sum, { result }) => sum + result.length, 0))
      })
      for (const { recorded } of ended) recorded.resolve()
    } catch (thrown) {
      for (const { recorded } of ended) recorded.reject(thrown)
    }
  }

  /** Of a call that provably did not run: its id may come again. */
  forget(executionId: string): void {
    this.#statements.forget.run(executionId)
  }

  /** Empty when it was dropped, or there is none; also when the ledger is closed, for readers who are that slow. */
  resultOf(executionId: string): string {
    if (this.#isClosed) return ''
    return this.#statements.find.get(executionId)?.result ?? ''
  }

  /** Whether a call with this id was begun, by this server or an earlier one. */
  has(executionId: string): boolean {
    return this.#statements.find.get(executionId) !== null
  }

  /** Forgets what has expired, and drops the oldest results beyond the limit. */
  #prune(addedBytes: number): void {
    const { expire, oldestKept, drop } = this.#statements
    let bytes = this.#resultBytes + addedBytes
    if (now() - this.#prunedAt >= PRUNE_EVERY_S) {
      this.#prunedAt = now()
      for (const { size } of expire.all(now())) bytes -= size
    }
    while (bytes > this.#options.maxResultBytes) {
      const oldest = oldestKept.get()
      if (oldest === null) break
      drop.run(oldest.rowid)
      bytes -= oldest.size
    }
    this.#resultBytes = bytes
  }

  /** To be called when nothing runs any more. */
  async close(): Promise<void> {
    this.#recordEnded()
    this.#isClosed = true
    await this.durable().catch(() => {})
    if (this.#walFd !== null) closeSync(this.#walFd)
    this.#db.close()
  }
}
