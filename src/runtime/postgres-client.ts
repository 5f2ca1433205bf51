// PostgreSQL through postgres.js, which brings a build of its own for Workers.

import type { Sql } from 'postgres'
import type { SqlClient, SqlQuery } from '../store/replay-postgres.ts'
import { type SilenceWatch, watchSilence } from './silence-watch.ts'

/** As postgres.js exports itself. */
export type Postgres = typeof import('postgres')

const CONNECT_TIMEOUT_SECONDS = 4

/** Longer than any statement here takes; what hangs is ended by the server. */
const STATEMENT_TIMEOUT_MS = 4_000

/** A server that has not even ended a statement by then hangs itself. */
const SILENCE_MS = STATEMENT_TIMEOUT_MS + 500

export function connect(postgres: Postgres, url: string, max: number): Sql {
  const { address, socket } = splitSocket(url)
  return postgres(address, {
    ...socket,
    max,
    // Types are text and numbers only: no need to ask the server for its own.
    fetch_types: false,
    connect_timeout: CONNECT_TIMEOUT_SECONDS,
    idle_timeout: 60,
    connection: { application_name: 'vllm-edge-router', statement_timeout: STATEMENT_TIMEOUT_MS },
    onnotice: () => {},
  })
}

export async function inTransaction<Result>(sql: Sql, work: (query: SqlQuery) => Promise<Result>): Promise<Result> {
  let result: { readonly value: Result } | null = null
  await sql.begin(async (transaction) => {
    result = { value: await work(async (text, values) => transaction.unsafe(text, [...values])) }
  })
  // Set above, or `begin` would have rejected.
  return (result as { readonly value: Result } | null)?.value as Result
}

/** A pool of connections that lasts as long as the process; made when it is first needed. */
export function openPostgresPool(load: () => Promise<Postgres>, url: string, max: number): SqlClient {
  let opening: Promise<Sql> | null = null
  const silence = watchSilence(SILENCE_MS)
  return {
    async transaction(work) {
      const own = (opening ??= load().then((postgres) => connect(postgres, url, max)))
      const sql = await own
      const end = silence.begin(() => {
        if (opening === own) opening = null
        // Whatever waits for an answer fails, and the next call connects anew.
        void sql.end({ timeout: 0 })
      })
      try {
        return await inTransaction(sql, (query) => work(heardBy(silence, query)))
      } finally {
        end()
      }
    },
    async close() {
      await (await opening)?.end({ timeout: 1 })
    },
  }
}

function heardBy(silence: SilenceWatch, query: SqlQuery): SqlQuery {
  silence.heard() // the transaction has begun
  return async (text, values) => {
    try {
      return await query(text, values)
    } finally {
      silence.heard()
    }
  }
}

/** `?host=/directory` names a socket of this machine, as it does for PostgreSQL's own programs. */
function splitSocket(url: string): { readonly address: string; readonly socket: { readonly host?: string } } {
  const address = new URL(url)
  const host = address.searchParams.get('host')
  if (host?.startsWith('/') !== true) return { address: url, socket: {} }
  address.searchParams.delete('host')
  return { address: address.href, socket: { host } }
}
