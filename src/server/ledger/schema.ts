/** The tables of the ledger, and what is asked of them. Times are seconds since 1970. */
import type { Database } from 'bun:sqlite'

const VERSION = 1

const tables = `
  CREATE TABLE IF NOT EXISTS ledger (id TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS executions (
    execution_id TEXT NOT NULL UNIQUE,
    body BLOB NOT NULL,               -- a hash
    ends_by REAL NOT NULL,            -- its begin and its timeout
    result TEXT,                      -- NULL: none yet; empty: dropped
    size INTEGER NOT NULL DEFAULT 0,  -- of the result
    expires_at REAL                   -- NULL: it has not ended
  ) STRICT;
  CREATE INDEX IF NOT EXISTS expiring ON executions (expires_at) WHERE expires_at IS NOT NULL;
  CREATE INDEX IF NOT EXISTS kept ON executions (expires_at) WHERE size > 0;
`

export function now(): number {
  return Date.now() / 1000
}

/** Makes the tables where there are none; answers the ledger's id. */
export function prepare(db: Database, retentionS: number): string {
  const version = db.query<{ user_version: number }, []>('PRAGMA user_version').get()?.user_version ?? 0
  if (version !== 0 && version !== VERSION) throw new Error(`it has version ${version}, not ${VERSION}`)
  const work = db.transaction(() => {
    db.run(tables)
    db.run(`PRAGMA user_version = ${VERSION}`)
    // What an earlier server left unfinished stays so, and is forgotten in its time.
    const leave = 'UPDATE executions SET expires_at = max(?1, ends_by) + ?2 WHERE expires_at IS NULL'
    db.query(leave).run(now(), retentionS)
    const known = db.query<{ id: string }, []>('SELECT id FROM ledger').get()
    if (known !== null) return known.id
    const id = crypto.randomUUID()
    db.query('INSERT INTO ledger (id) VALUES (?)').run(id)
    return id
  })
  return work.immediate()
}

interface Row {
  readonly body: Uint8Array
  readonly result: string | null
}

interface Kept {
  readonly rowid: number
  readonly size: number
}

export type Statements = ReturnType<typeof statementsOf>

export function statementsOf(db: Database) {
  return {
    insert: db.query<never, [string, Uint8Array, number]>(
      'INSERT INTO executions (execution_id, body, ends_by) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
    ),
    find: db.query<Row, [string]>('SELECT body, result FROM executions WHERE execution_id = ?'),
    finish: db.query<never, [string, number, number, number, string]>(
      `UPDATE executions SET result = ?1, size = ?2, expires_at = max(?3, ends_by) + ?4 WHERE execution_id = ?5`,
    ),
    forget: db.query<never, [string]>('DELETE FROM executions WHERE execution_id = ?'),
    expire: db.query<{ size: number }, [number]>(
      `DELETE FROM executions WHERE rowid IN
         (SELECT rowid FROM executions WHERE expires_at < ? ORDER BY expires_at LIMIT 2000) RETURNING size`,
    ),
    oldestKept: db.query<Kept, []>(
      'SELECT rowid, size FROM executions WHERE size > 0 ORDER BY expires_at LIMIT 1',
    ),
    drop: db.query<never, [number]>("UPDATE executions SET result = '', size = 0 WHERE rowid = ?"),
    resultBytes: db.query<{ bytes: number }, []>(
      'SELECT coalesce(sum(size), 0) AS bytes FROM executions WHERE size > 0',
    ),
  }
}
