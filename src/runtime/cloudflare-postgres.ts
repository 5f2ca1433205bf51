// PostgreSQL for Router Replay on Workers, through Hyperdrive or straight: an entry that wants it passes it to
// `createWorker`, and its Worker needs the compatibility flag `nodejs_compat`.

import postgres from 'postgres'
import { PostgresReplayStore, type SqlClient } from '../store/replay-postgres.ts'
import { isHyperdrive, type BroughtReplayStore } from './cloudflare-replays.ts'
import { connect, inTransaction } from './postgres-client.ts'

export const postgresReplays: BroughtReplayStore = {
  backend: 'postgres',
  open({ postgres: config }, env) {
    if (config === null) throw new Error('router_replay.postgres is not set')
    const binding = env[config.hyperdriveBinding ?? '']
    const url = isHyperdrive(binding) ? () => binding.connectionString : () => config.url?.reveal() ?? ''
    return new PostgresReplayStore({ client: openForEachCall(url), config, now: () => Date.now() })
  },
}

/** A connection belongs to the request that made it, so each call has its own; keeping them is what Hyperdrive is for. */
function openForEachCall(url: () => string): SqlClient {
  return {
    async transaction(work) {
      const sql = connect(postgres, url(), 1)
      try {
        return await inTransaction(sql, work)
      } finally {
        await sql.end({ timeout: 1 })
      }
    },
    close: async () => {},
  }
}
