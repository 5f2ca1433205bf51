// Many records under one or several configurations, one after the other: each is compared, counted and forgotten.

import type { Config } from '../config/config.ts'
import type { StoredRecord } from '../record/stored-record.ts'
import { compare, recordedOutcome } from './compare.ts'
import type { NamedConfig } from './named-config.ts'
import { type Document, type KeyHeaders, Redecider } from './redecide.ts'
import { toReport } from './report.ts'
import type { ReplayReport } from './report-schema.ts'
import { keyHeadersOf } from './session-key.ts'
import { Tally, type TallyOptions } from './tally.ts'

export interface ReplayOptions extends TallyOptions {
  readonly configs: readonly NamedConfig[]
  /** Decided under as well, to compare with; null to compare with what was recorded. */
  readonly against: NamedConfig | null
  /** Others whose records may come: what they looked for session keys in is known by them. */
  readonly alsoKnown?: readonly Config[]
}

interface Contender {
  readonly named: NamedConfig
  readonly redecider: Redecider
  readonly tally: Tally
}

export class Replay {
  readonly #options: ReplayOptions
  readonly #contenders: readonly Contender[]
  readonly #against: Redecider | null
  /** Ids of everybody that was to be chosen from then. */
  readonly #candidatesThen = new Set<string>()
  #lastDocument: Document = null

  constructor(options: ReplayOptions) {
    const { configs, against, alsoKnown = [] } = options
    const known = [...alsoKnown, ...configs.map(({ config }) => config), ...(against === null ? [] : [against.config])]
    const keyHeaders: KeyHeaders = new Map(known.map(({ hash, policy }) => [hash, keyHeadersOf(policy.needs)]))
    this.#options = options
    this.#contenders = configs.map((named) => {
      return {
        named,
        redecider: new Redecider(named.config, keyHeaders, options.prefixCache),
        tally: new Tally(options),
      }
    })
    this.#against = against === null ? null : new Redecider(against.config, keyHeaders, options.prefixCache)
    for (const id of this.#against?.candidateIds ?? []) this.#candidatesThen.add(id)
  }

  /** `document` is what the record's view document says; null when it is not at hand. */
  add(record: StoredRecord, document: Document): void {
    if (this.#against === null) this.#noteCandidates(record, document)
    const before = this.#against?.decide(record, document) ?? recordedOutcome(record)
    for (const { redecider, tally } of this.#contenders) {
      const after = redecider.decide(record, document)
      tally.add(record, compare(record, document, { before, after }, redecider), redecider.isOwn(record))
    }
  }

  /** One for each configuration, in their order. */
  reports(): readonly ReplayReport[] {
    return this.#contenders.map(({ named, redecider, tally }) =>
      toReport(tally, {
        configuration: named,
        against: this.#options.against,
        workersBefore: [...this.#candidatesThen],
        workersAfter: redecider.candidateIds,
        by: this.#options.by,
        prefixCache: this.#options.prefixCache,
      }),
    )
  }

  #noteCandidates({ candidates = [] }: StoredRecord, document: Document): void {
    if (document !== null && document === this.#lastDocument) return
    this.#lastDocument = document
    for (const { id } of document ?? []) this.#candidatesThen.add(id)
    if (document === null) for (const { worker } of candidates) this.#candidatesThen.add(worker)
  }
}
