// Where a recorded prompt was cached, for policies that ask: as the record says, by a model of the workers' caches, or not
// at all.

import { toDecisionInput } from '../record/fleet-view.ts'
import type { StoredRecord } from '../record/stored-record.ts'
import type { LmcacheFact, PrefixFact } from '../routing/cache-facts.ts'
import type { Policy, PrefixNeeds } from '../routing/policy.ts'
import { PrefixCaches, type PrefixCacheOptions } from './prefix-cache.ts'

/** Bytes of a token where nobody counted them, and of the blocks that records have hashes of. */
const BYTES_PER_TOKEN = 4
const HASHED_BLOCK_BYTES = 2_048

/** What leaves something in a cache that the next prompt can use. */
const GENERATING_ROUTES: ReadonlySet<string> = new Set([
  '/v1/chat/completions',
  '/v1/completions',
  '/v1/responses',
  '/v1/messages',
])

export type CacheFacts =
  | {
      readonly kind: 'facts'
      readonly prefix: PrefixFact | null
      readonly lmcache: LmcacheFact | null
      readonly isAssumed: boolean
    }
  | { readonly kind: 'missing'; readonly why: string }

export interface CacheQuestion {
  readonly policy: Policy
  /** The model that is decided on. */
  readonly model: string | null
  /** Whether the record was made under this very configuration: what it does not say nobody knew then. */
  readonly isOwn: boolean
}

const NOTHING: CacheFacts = { kind: 'facts', prefix: null, lmcache: null, isAssumed: false }

/** The caches of a fleet under one configuration, as its decisions fill them. */
export class CacheFactSource {
  readonly #caches: PrefixCaches | null
  readonly #blockTokens: number
  /** What was decided last: it counts from the next record on, as one record may be asked about twice. */
  #pending: { readonly record: StoredRecord; readonly worker: string } | null = null

  /** Null to model none: caches need records in the order of time, and all of them. */
  constructor(options: PrefixCacheOptions | null) {
    this.#caches = options === null ? null : new PrefixCaches(options)
    this.#blockTokens = options?.blockTokens ?? 0
  }

  /** The record went to this worker. */
  note(record: StoredRecord, worker: string): void {
    this.#pending = { record, worker }
  }

  factsFor(record: StoredRecord, question: CacheQuestion): CacheFacts {
    this.#catchUp(record)
    const { policy, model, isOwn } = question
    const { prefix: needs, lmcache: lmcacheNeeds } = policy.needs
    if (needs === undefined && lmcacheNeeds === undefined) return NOTHING
    const { prefix: recordedPrefix, lmcache: recordedLmcache } = toDecisionInput(record)
    const isSameModel = model === (record.model ?? null)
    if (isOwn && isSameModel) {
      return { kind: 'facts', prefix: recordedPrefix, lmcache: recordedLmcache, isAssumed: false }
    }
    if (!GENERATING_ROUTES.has(record.route) || record.pinned !== undefined) return NOTHING
    const lmcache = isSameModel ? recordedLmcache : null
    if (lmcacheNeeds !== undefined && lmcache === null) {
      return missing(`\`${policy.name}\` goes by what LMCache says of a prompt, and nobody asked it about this one`)
    }
    if ((lmcacheNeeds?.lookup ?? null) !== null && !wasLookedUp(record)) {
      return missing(`\`${policy.name}\` looks prompts up, and the record is of a router that did not`)
    }
    if (needs === undefined) return { kind: 'facts', prefix: null, lmcache, isAssumed: true }
    const prefix = this.#modelled(record, needs) ?? (isSameModel ? recordedPrefix : null) ?? tooShort(record, needs)
    if (prefix !== null) return { kind: 'facts', prefix, lmcache, isAssumed: true }
    return missing(
      `\`${policy.name}\` goes by where a prompt is cached; records say so under \`decision_log.include_prefix_hashes\`` +
        (this.#caches === null ? ', and in the order of time only' : ''),
    )
  }

  #modelled(record: StoredRecord, { prefillMsPerToken }: PrefixNeeds): PrefixFact | null {
    const { prefix_hashes: hashes, prefix, usage } = record
    if (this.#caches === null || hashes === undefined || hashes.length === 0) return null
    const hashed = hashes.length * this.#blockTokens
    const promptTokens = Math.max(hashed, prefix?.prompt_tokens ?? usage?.prompt_tokens ?? 0)
    const held = this.#caches.held(hashes)
    return {
      promptTokens,
      cachedTokens: Object.fromEntries([...held].map(([worker, blocks]) => [worker, blocks * this.#blockTokens])),
      backlogTokens: prefix?.backlog ?? {},
      prefillMsPerToken: prefix?.prefill_ms_per_token ?? prefillMsPerToken,
    }
  }

  #catchUp(record: StoredRecord): void {
    if (this.#pending === null || this.#pending.record === record) return
    const { record: before, worker } = this.#pending
    this.#pending = null
    this.#caches?.use(worker, before.prefix_hashes ?? [])
  }
}

/** Of a prompt without a whole block nothing is cached anywhere. */
function tooShort({ request_bytes: bytes }: StoredRecord, { prefillMsPerToken }: PrefixNeeds): PrefixFact | null {
  if (bytes === undefined || bytes >= HASHED_BLOCK_BYTES) return null
  return { promptTokens: Math.ceil(bytes / BYTES_PER_TOKEN), cachedTokens: {}, backlogTokens: {}, prefillMsPerToken }
}

/** Whether a lookup was tried, whatever came of it. */
function wasLookedUp({ steps = [] }: StoredRecord): boolean {
  return steps.some(({ step }) => step === 'lookup' || step === 'tokenize')
}

function missing(why: string): CacheFacts {
  return { kind: 'missing', why }
}
