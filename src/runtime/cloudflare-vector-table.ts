// The vectors that a `Fleet` object keeps for isolates that begin later: a row each, with an expiry.

import { MAX_KEPT_VECTORS, type VectorEntry } from '../store/vector-store.ts'

const CREATE =
  'CREATE TABLE IF NOT EXISTS vectors (key TEXT PRIMARY KEY, vector TEXT NOT NULL, expires_at REAL NOT NULL)'

const KEEP = `
  INSERT INTO vectors VALUES (?, ?, ?)
  ON CONFLICT (key) DO UPDATE SET vector = excluded.vector, expires_at = excluded.expires_at`

const MAKE_ROOM = `
  DELETE FROM vectors WHERE key IN (SELECT key FROM vectors ORDER BY expires_at DESC LIMIT -1 OFFSET ${MAX_KEPT_VECTORS})`

export class VectorTable {
  readonly #storage: DurableObjectStorage
  #hasTable = false

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage
  }

  read(keys: readonly string[]): readonly (string | null)[] {
    const sql = this.#table()
    const find = 'SELECT vector FROM vectors WHERE key = ? AND expires_at > ?'
    return keys.map((key) => {
      const [row] = sql.exec<{ vector: string }>(find, key, Date.now()).toArray()
      return row?.vector ?? null
    })
  }

  write(entries: readonly VectorEntry[], ttlMs: number): void {
    const sql = this.#table()
    const nowMs = Date.now()
    for (const [key, vector] of entries) sql.exec(KEEP, key, vector, nowMs + ttlMs)
    sql.exec('DELETE FROM vectors WHERE expires_at <= ?', nowMs)
    sql.exec(MAKE_ROOM)
  }

  #table(): SqlStorage {
    if (!this.#hasTable) this.#storage.sql.exec(CREATE)
    this.#hasTable = true
    return this.#storage.sql
  }
}
