// What the suites about retries share: a session whose requests go to a known worker first, ids, and records.

import { chatBody, postJson } from '../support/ask.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import type { LiveFleet } from '../support/live-fleet.ts'

const CHAT = '/v1/chat/completions'

/** `home` and `other` serve model `m`; the others the model of their name. */
export type RetriedWorker = 'home' | 'other' | 'lone' | 'second'

export interface RetryBench {
  readonly fleet: LiveFleet<RetriedWorker>
  readonly runtime: RuntimeName
  /** A request id that no test has used. */
  nextId(): string
  /** Headers that send a request for model `m` to `home` first, once that is up. */
  homeward(id: string): Promise<Record<string, string>>
  record(id: string): Promise<Record<string, unknown>>
}

/** The workers' policy must be `consistent_hash`. */
export function retryBench(fleet: LiveFleet<RetriedWorker>, runtime: RuntimeName): RetryBench {
  let count = 0
  let session: string | null = null
  const nextId = () => `${runtime}-retried-${++count}`
  async function reaches(tried: string): Promise<boolean> {
    const { headers } = await postJson(fleet.url + CHAT, chatBody('m'), { 'x-session-id': tried })
    return headers.get('x-vllm-router-worker') === 'home'
  }
  async function findSession(): Promise<string> {
    for (;;) {
      const tried = nextId()
      if (await reaches(tried)) return tried
    }
  }
  return {
    fleet,
    runtime,
    nextId,
    async homeward(id) {
      const known = (session ??= await findSession())
      // An earlier test may have left `home` in bad repute.
      await until(
        () => reaches(known),
        8_000,
        () => 'home was never used again',
      )
      return { 'x-session-id': known, 'x-request-id': id }
    },
    record: (id) => fleet.router.record((each) => each['request_id'] === id),
  }
}
