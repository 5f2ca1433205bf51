// The candidates of a configuration, with what view documents know of them besides: the models that workers said they
// serve.

import type { Config } from '../config/config.ts'
import { withRecordedModels } from '../record/fleet-view.ts'
import type { StoredRecord } from '../record/stored-record.ts'
import { candidatesOf, type SlowCandidate } from '../record/view-document.ts'

/** Fleets that are kept joined; one a view document, and these change rarely. */
const MAX_JOINED = 64

export interface JoinedFleet {
  readonly candidates: readonly SlowCandidate[]
  /** Whether it is what the view document has: the configuration has changed nothing about the fleet. */
  readonly isAsThen: boolean
}

export class KnownFleet {
  readonly #configured: readonly SlowCandidate[]
  readonly #joined = new Map<readonly SlowCandidate[], JoinedFleet>()

  constructor({ workers }: Pick<Config, 'workers'>) {
    this.#configured = candidatesOf(workers)
  }

  get ids(): readonly string[] {
    return this.#configured.map(({ id }) => id)
  }

  /** `document` must be the same object for all records that name it. */
  of(record: StoredRecord, document: readonly SlowCandidate[] | null): JoinedFleet {
    if (document === null) return { candidates: withRecordedModels(this.#configured, record), isAsThen: false }
    const known = this.#joined.get(document)
    if (known !== undefined) return known
    const joined = join(this.#configured, document)
    if (this.#joined.size >= MAX_JOINED) this.#joined.clear()
    this.#joined.set(document, joined)
    return joined
  }
}

/** Configured models win over what a worker said, as they do in a router. */
function join(configured: readonly SlowCandidate[], document: readonly SlowCandidate[]): JoinedFleet {
  const byId = new Map(document.map((candidate) => [candidate.id, candidate]))
  const candidates = configured.map((candidate) => {
    return candidate.models === null ? { ...candidate, models: byId.get(candidate.id)?.models ?? null } : candidate
  })
  const isAsThen = textOf(candidates) === textOf(document)
  return { candidates, isAsThen }
}

function textOf(candidates: readonly SlowCandidate[]): string {
  return JSON.stringify(
    candidates.map(({ id, workerId, rank, weight, labels, models }) => {
      const sorted = Object.entries(labels).sort(([one], [other]) => (one < other ? -1 : 1))
      return [id, workerId, rank, weight, sorted, models === null ? null : [...models].sort()]
    }),
  )
}
