// What requests add to the counters of a router, once it has closed them: every series that grew, by name and labels.

import { expect } from 'vitest'
import { ask } from '../support/ask.ts'
import { until } from '../support/launch.ts'
import { grownSince, readScrape, type Scrape } from '../support/metrics.ts'

export const CHAT = '/v1/chat/completions'

/** Levels, and what is counted when it comes, whatever a request did: records written, spans and metrics sent, probes made. */
const NOT_OF_REQUESTS =
  /^(worker_(health|availability|load)|running_requests|requests_in_flight|fleet_age|fleet_sync|cb_state\{|active_workers|decision_log|spans_|metric_pushes|token_cache_entries|lmcache_(blind|probes)|shared_prefix_writes)/

export type Added = Readonly<Record<string, number>>

export interface Counting {
  scrape(): Promise<Scrape>
  /** What these requests added; `closed` of them are waited for. */
  addedBy(requests: () => Promise<unknown>, closed?: number): Promise<Added>
}

export function countingOf(url: () => string, headers: Readonly<Record<string, string>> = {}): Counting {
  async function scrape(): Promise<Scrape> {
    const answer = await ask(`${url()}/metrics`, { headers })
    expect(answer.status, answer.text).toBe(200)
    return readScrape(answer.text)
  }
  return {
    scrape,
    async addedBy(requests, closed = 1) {
      const before = await scrape()
      let now = before
      await requests()
      await until(
        async () => {
          now = await scrape()
          return ended(now) - ended(before) >= closed
        },
        15_000,
        () => `${ended(now) - ended(before)} requests were counted`,
      )
      return Object.fromEntries(
        Object.entries(grownSince(before, now)).filter(([series]) => !NOT_OF_REQUESTS.test(series)),
      )
    },
  }
}

function ended(scrape: Scrape): number {
  let sum = 0
  for (const [series, value] of scrape) if (/^(requests|refused_requests)_total/.test(series)) sum += value
  return sum
}

export interface Ended {
  readonly model: string
  readonly tenant?: string | null
  readonly status?: string
}

/** What every request adds that leaves a record. */
export function answered({ model, tenant = 'chat' }: Ended): Added {
  return {
    ...closed({ model, tenant }),
    [`answer_ends_total{route="${CHAT}",end="complete"}`]: 1,
    generate_duration_seconds: 1,
  }
}

/** The same for one that failed, by its error. */
export function failed(error: string, { model, tenant = 'chat', status = '4xx' }: Ended): Added {
  return {
    ...closed({ model, tenant, status }),
    [`request_errors_total{route="${CHAT}",error_type="${error}"}`]: 1,
    ...(tenant === null
      ? {}
      : { [`tenant_errors_total{tenant="${tenant}",route="${CHAT}",error_type="${error}"}`]: 1 }),
  }
}

function closed({ model, tenant, status = '2xx' }: Ended): Added {
  return {
    [`requests_total{route="${CHAT}",model="${model}",status="${status}"}`]: 1,
    [`request_duration_seconds{route="${CHAT}"}`]: 1,
    ...(tenant === null
      ? {}
      : {
          [`tenant_requests_total{tenant="${tenant}",route="${CHAT}"}`]: 1,
          [`tenant_request_duration_seconds{tenant="${tenant}",route="${CHAT}"}`]: 1,
        }),
  }
}

export interface Attempted {
  readonly worker: string
  readonly policy?: string
  readonly routing?: string
}

/** What an attempt adds that was answered, and the decision for it. */
export function attempted({ worker, policy = 'round_robin', routing = 'policy' }: Attempted): Added {
  return {
    ...tried({ worker, routing }),
    [`cb_outcomes_total{worker="${worker}",outcome="success"}`]: 1,
    [`processed_requests_total{worker="${worker}"}`]: 1,
    [`policy_decisions_total{policy="${policy}",worker="${worker}"}`]: 1,
  }
}

/** What any attempt adds. */
export function tried({ worker, routing = 'policy' }: Pick<Attempted, 'worker' | 'routing'>): Added {
  return {
    [`worker_requests_total{route="${CHAT}",worker="${worker}",routing="${routing}"}`]: 1,
    [`worker_request_duration_seconds{worker="${worker}"}`]: 1,
  }
}

/** What the tokens of an answer add; prompts are as long as a worker's tokenizer says. */
export function tokens(model: string, completion: number, tenant: string | null = 'chat'): Added {
  const prompt: number = expect.any(Number)
  return {
    [`tokens_total{model="${model}",kind="prompt"}`]: prompt,
    [`tokens_total{model="${model}",kind="completion"}`]: completion,
    ...(tenant === null
      ? {}
      : {
          [`tenant_tokens_total{tenant="${tenant}",kind="prompt"}`]: prompt,
          [`tenant_tokens_total{tenant="${tenant}",kind="completion"}`]: completion,
        }),
  }
}
