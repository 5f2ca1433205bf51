// The table of Router Replay's records, as a list of steps from nothing to what this version needs. Each is done once, even
// when several routers start at the same moment.

import type { ReplayPostgresConfig } from '../config/config.ts'
import type { SqlQuery } from './replay-postgres.ts'

type Names = Pick<ReplayPostgresConfig, 'schema' | 'table'>

/** Never changed once it was released: what changes the table is a further step. */
const STEPS: readonly ((names: Names) => readonly string[])[] = [
  ({ schema, table }) => [
    `CREATE TABLE "${schema}"."${table}" (
      id text PRIMARY KEY,
      decision text NOT NULL,
      ended_at_ms bigint NOT NULL,
      expires_at_ms bigint,
      record text NOT NULL
    )`,
    `CREATE INDEX "${table}_time" ON "${schema}"."${table}" (ended_at_ms, id COLLATE "C")`,
    `CREATE INDEX "${table}_decision" ON "${schema}"."${table}" (decision, ended_at_ms, id COLLATE "C")`,
    `CREATE INDEX "${table}_expiry" ON "${schema}"."${table}" (expires_at_ms) WHERE expires_at_ms IS NOT NULL`,
  ],
]

/** Does the steps that have not been done. Runs in a transaction: a step is done whole or not at all. */
export async function migrate(query: SqlQuery, names: Names): Promise<void> {
  const { schema, table } = names
  const versions = `"${schema}"."${table}_version"`
  // IF NOT EXISTS alone does not help: two that look at the same moment both find nothing.
  await query('SELECT pg_advisory_xact_lock(hashtext($1))', [`router_replay ${versions}`])
  const known = await query('SELECT to_regclass($1) IS NOT NULL AS is_there', [versions])
  if (known[0]?.['is_there'] !== true) {
    const schemas = await query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [schema])
    // Only where it must: a role that may use a schema need not be allowed to make one.
    if (schemas.length === 0) await query(`CREATE SCHEMA "${schema}"`, [])
    await query(`CREATE TABLE ${versions} (version integer NOT NULL)`, [])
    await query(`INSERT INTO ${versions} VALUES (0)`, [])
  }
  const [row] = await query(`SELECT version FROM ${versions}`, [])
  const done = Number(row?.['version'] ?? 0)
  for (const step of STEPS.slice(done)) for (const statement of step(names)) await query(statement, [])
  if (done < STEPS.length) await query(`UPDATE ${versions} SET version = ${STEPS.length}`, [])
}
