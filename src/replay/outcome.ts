// What becomes of one recorded request under one configuration, as data.

/** Where a difference, or not knowing, comes from. */
export const CAUSES = ['policy', 'rule', 'workers', 'hook', 'model_access', 'missing_fact'] as const

export type Cause = (typeof CAUSES)[number]

/** What was taken for true because the record does not say it. */
export const ASSUMPTIONS = ['turn', 'newcomer', 'session', 'cache'] as const

/**
 * `turn`: nobody asked for one then, so turns are counted here. `newcomer`: a worker that the record does not know is up
 * and idle. `session`: its key was looked for in the default headers. `cache`: where its prompt was
 * cached is told by a model, or as it was then.
 */
export type Assumption = (typeof ASSUMPTIONS)[number]

export type Outcome =
  | {
      readonly kind: 'worker'
      /** Id of the candidate: a worker, or one of its ranks. */
      readonly worker: string
      readonly model: string | null
      readonly assumed: readonly Assumption[]
    }
  /** Decided, and there was nobody; or not let as far as that by the configuration. */
  | {
      readonly kind: 'refused'
      readonly model: string | null
      /** Null when it follows from who was available. */
      readonly cause: Cause | null
    }
  /** Ended before a decision, and this configuration ends it the same way. */
  | { readonly kind: 'ended' }
  /** Can't be known. `why` is for a report and holds nothing of a request but names of models, hooks and workers. */
  | { readonly kind: 'unknown'; readonly cause: Cause; readonly why: string }

export const ENDED: Outcome = { kind: 'ended' }

export function unknown(cause: Cause, why: string): Extract<Outcome, { readonly kind: 'unknown' }> {
  return { kind: 'unknown', cause, why }
}

export function refused(
  model: string | null,
  cause: Cause | null = null,
): Extract<Outcome, { readonly kind: 'refused' }> {
  return { kind: 'refused', model, cause }
}
