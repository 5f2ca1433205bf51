// What became of one request, and what many of them come to.

/** Times in milliseconds. */
export interface Outcome {
  /** Place of the worker in the fleet; null for a request that nobody was found for. */
  readonly worker: number | null
  readonly promptTokens: number
  readonly cachedTokens: number
  /** From its arrival at the router, lookups included. */
  readonly firstTokenMs: number
  /** Mean time between tokens; 0 for an answer of one token. */
  readonly betweenTokensMs: number
  /** Answers that the decision waited for, and how long. */
  readonly lookups: number
  readonly lookupMs: number
}

/** What an answer must keep to count. */
export const GOOD_FIRST_TOKEN_MS = 2_000
export const GOOD_BETWEEN_TOKENS_MS = 25

export interface Figures {
  readonly requests: number
  /** Share of prompt tokens that engines found in their caches. */
  readonly hitShare: number
  /** The same as a share of what one cache without bounds would have found. */
  readonly ofCeiling: number
  readonly firstTokenP50Ms: number
  readonly firstTokenP90Ms: number
  readonly firstTokenP99Ms: number
  /** Share of requests that kept both limits. */
  readonly goodShare: number
  /** Computed prompt tokens of the busiest worker over the mean of all. */
  readonly imbalance: number
  readonly refusedShare: number
  readonly lookupsPerRequest: number
  readonly lookupMs: number
}

/** Figures of one run over a fleet of `workers`. */
export function figuresOf(outcomes: readonly Outcome[], workers: number, ceiling: number): Figures {
  const answered = outcomes.filter(({ worker }) => worker !== null)
  const firstTokens = answered.map(({ firstTokenMs }) => firstTokenMs).toSorted((a, b) => a - b)
  const hitShare = share(sum(answered, 'cachedTokens'), sum(answered, 'promptTokens'))
  return {
    requests: outcomes.length,
    hitShare,
    ofCeiling: share(hitShare, ceiling),
    firstTokenP50Ms: percentileOf(firstTokens, 0.5),
    firstTokenP90Ms: percentileOf(firstTokens, 0.9),
    firstTokenP99Ms: percentileOf(firstTokens, 0.99),
    goodShare: share(answered.filter(isGood).length, outcomes.length),
    imbalance: imbalanceOf(answered, workers),
    refusedShare: share(outcomes.length - answered.length, outcomes.length),
    lookupsPerRequest: share(sum(outcomes, 'lookups'), outcomes.length),
    lookupMs: share(sum(outcomes, 'lookupMs'), outcomes.length),
  }
}

/** The value that `part` of the sorted values do not exceed: the nearest rank, no value between two. NaN for none. */
export function percentileOf(sorted: readonly number[], part: number): number {
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN
}

/** The largest part over the mean part, of the tokens that each worker had to compute; 1 when nothing was. */
export function imbalanceOf(answered: readonly Outcome[], workers: number): number {
  const computed = Array.from({ length: workers }, () => 0)
  for (const { worker, promptTokens, cachedTokens } of answered) {
    if (worker !== null) computed[worker] = (computed[worker] ?? 0) + promptTokens - cachedTokens
  }
  const total = computed.reduce((left, right) => left + right, 0)
  return total === 0 ? 1 : (Math.max(...computed) * workers) / total
}

function isGood({ firstTokenMs, betweenTokensMs }: Outcome): boolean {
  return firstTokenMs <= GOOD_FIRST_TOKEN_MS && betweenTokensMs <= GOOD_BETWEEN_TOKENS_MS
}

function sum(outcomes: readonly Outcome[], name: 'cachedTokens' | 'promptTokens' | 'lookups' | 'lookupMs'): number {
  return outcomes.reduce((total, outcome) => total + outcome[name], 0)
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole
}
