// A decision log and configurations to replay it under, as files.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type DecidedLog, decidedLog } from './decided-log.ts'

export const REPLAYED_REQUESTS = 600

const POOL = `workers:
  - {id: a, url: "http://a"}
  - {id: b, url: "http://b", models: [m], weight: 2}
  - {id: c, url: "http://c", models: [m], labels: {tier: best}}
log_level: error
`

/** A configuration of the fleet that the log is of. */
export const replayedYaml = (policy: string) => `${POOL}policy: ${policy}\n`

/** The log of requests of forty users under round robin, and `<policy>.yaml` for each policy. */
export async function writeReplayFiles(directory: string, policies: readonly string[]): Promise<DecidedLog> {
  for (const policy of policies) writeFileSync(join(directory, `${policy}.yaml`), replayedYaml(policy))
  const request = (n: number) => ({ body: { model: 'm', user: `user-${n % 40}` } })
  return decidedLog({ yaml: replayedYaml('round_robin'), requests: REPLAYED_REQUESTS, request, failing: 0.05 })
}
