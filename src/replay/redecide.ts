// One recorded request decided again under one configuration: the one function of replay that chooses a worker, and it
// does so by `decide`, as live traffic does.

import type { Config } from '../config/config.ts'
import { toDecisionInput, toFleetView } from '../record/fleet-view.ts'
import type { StoredRecord } from '../record/stored-record.ts'
import type { SlowCandidate } from '../record/view-document.ts'
import { decide, type Decision, type FleetView } from '../routing/decide.ts'
import { PolicyError } from '../routing/policy-error.ts'
import { CacheFactSource } from './cache-facts.ts'
import { clustersFor } from './cluster-fact.ts'
import { endEarly } from './early-end.ts'
import { factsFor, TurnCounts } from './facts.ts'
import { KnownFleet } from './known-fleet.ts'
import { chooseModels } from './model-choice.ts'
import type { PrefixCacheOptions } from './prefix-cache.ts'
import { type Assumption, type Outcome, refused, unknown } from './outcome.ts'

/** The candidates of a view document; null when it is not at hand. The same object for all records that name it. */
export type Document = readonly SlowCandidate[] | null

/** Headers that session keys were looked for in, by the hash of the configuration, as far as configurations are at hand. */
export type KeyHeaders = ReadonlyMap<string, readonly string[]>

export class Redecider {
  readonly #config: Config
  readonly #keyHeaders: KeyHeaders
  readonly #fleet: KnownFleet
  readonly #turns = new TurnCounts()
  readonly #caches: CacheFactSource

  /** `prefixCache` says how large workers' caches are taken to be; null to model none. */
  constructor(config: Config, keyHeaders: KeyHeaders, prefixCache: PrefixCacheOptions | null = null) {
    this.#caches = new CacheFactSource(prefixCache)
    this.#config = config
    this.#keyHeaders = keyHeaders
    this.#fleet = new KnownFleet(config)
  }

  /** Ids of the configuration's candidates. */
  get candidateIds(): readonly string[] {
    return this.#fleet.ids
  }

  /** Whether a record was made under this very configuration. */
  isOwn({ config_hash: hash }: StoredRecord): boolean {
    return hash === this.#config.hash
  }

  decide(record: StoredRecord, document: Document): Outcome {
    const outcome = this.#outcomeOf(record, document)
    if (outcome.kind === 'worker') this.#caches.note(record, outcome.worker)
    return outcome
  }

  #outcomeOf(record: StoredRecord, document: Document): Outcome {
    if (record.candidates === undefined) return endEarly(record, this.#config)
    if (record.seed === undefined) return unknown('missing_fact', 'the record has no seed')
    const isOwn = this.isOwn(record)
    const configured = isOwn && document !== null ? null : this.#fleet.of(record, document).candidates
    const rebuilt = toFleetView(record, { document, configured })
    if (rebuilt.kind === 'missing') return unknown('missing_fact', rebuilt.why)
    const { view, newcomers } = rebuilt
    const chosen = isOwn ? ownModel(record) : this.#chooseModels(record, view)
    if (chosen.kind === 'settled') return chosen.outcome
    const strangers = newcomers.length === 0 ? NOBODY : this.#strangers(view, newcomers)
    const silent = record.model === undefined ? undefined : strangers.find(({ models }) => models === null)
    if (silent !== undefined) {
      return unknown(
        'workers',
        `worker \`${silent.id}\` is new, and the configuration does not say which models it serves`,
      )
    }
    return this.#decideAmong(chosen.models, { record, view, strangers })
  }

  /**
   * The same, but with the workers of then: tells whether a difference comes from the policy, or from workers that came,
   * went or changed. Null when that is the same question.
   */
  decideAmongThose(record: StoredRecord, document: Document, model: string | null): Outcome | null {
    if (document === null || this.isOwn(record) || this.#fleet.of(record, document).isAsThen) return null
    const rebuilt = toFleetView(record, { document, configured: null })
    if (rebuilt.kind === 'missing') return null
    return this.#decideAmong([model], { record, view: rebuilt.view, strangers: NOBODY })
  }

  #chooseModels(record: StoredRecord, { candidates }: FleetView) {
    return chooseModels(record, { config: this.#config, candidates, keyHeaders: this.#keyHeadersOf(record) })
  }

  #keyHeadersOf({ config_hash: hash }: StoredRecord): readonly string[] | null {
    return hash === undefined ? null : (this.#keyHeaders.get(hash) ?? null)
  }

  #strangers({ candidates }: FleetView, newcomers: readonly string[]): FleetView['candidates'] {
    const ids = new Set(newcomers)
    return candidates.filter(({ id }) => ids.has(id))
  }

  #decideAmong(models: readonly (string | null)[], { record, view, strangers }: Given): Outcome {
    const clusters = clustersFor(record, this.#config.semanticCluster, this.isOwn(record))
    if (clusters.kind === 'missing') return unknown('missing_fact', clusters.why)
    for (const model of models) {
      const facts = this.#factsFor(record, model)
      if (facts.kind === 'missing') return unknown('missing_fact', facts.why)
      const caches = this.#caches.factsFor(record, { policy: this.#config.policy, model, isOwn: this.isOwn(record) })
      if (caches.kind === 'missing') return unknown('missing_fact', caches.why)
      const { affinity, ticket } = facts
      const { prefix, lmcache } = caches
      const { cluster } = clusters
      const decision = this.#ask(
        { ...toDecisionInput(record), model, affinity, ticket, prefix, lmcache, cluster },
        view,
        record.seed ?? 0,
      )
      // A policy that throws fails the request, as it would have then.
      if (decision === null) return refused(model, 'policy')
      if (decision.chosen === null) continue
      const meetsStrangers = strangers.some(({ models: served }) => model === null || served?.has(model) === true)
      const assumed: readonly Assumption[] = [
        ...facts.assumed,
        ...(caches.isAssumed ? (['cache'] as const) : NOTHING),
        ...(meetsStrangers ? (['newcomer'] as const) : NOTHING),
      ]
      return { kind: 'worker', worker: decision.chosen.id, model, assumed }
    }
    return refused(models[0] ?? null)
  }

  #factsFor(record: StoredRecord, model: string | null) {
    const { policy } = this.#config
    return factsFor(record, { policy, model, keyHeaders: this.#keyHeadersOf(record), turns: this.#turns })
  }

  #ask(input: Parameters<typeof decide>[0], view: FleetView, seed: number): Decision | null {
    const { policy, health } = this.#config
    const { panicThreshold, usesOpenLast } = health
    try {
      return decide(input, { policy, panicThreshold, usesOpenLast }, view, seed)
    } catch (error) {
      if (error instanceof PolicyError) return null
      throw error
    }
  }
}

interface Given {
  readonly record: StoredRecord
  readonly view: FleetView
  /** Candidates that the record knows nothing of. */
  readonly strangers: FleetView['candidates']
}

const NOTHING: readonly Assumption[] = []
const NOBODY: FleetView['candidates'] = []

function ownModel({ model }: StoredRecord) {
  return { kind: 'models', models: [model ?? null] } as const
}
