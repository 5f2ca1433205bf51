// Totals over records, for charts: models, decisions, signals, tokens.

import { type ReplayRecord, SIGNAL_KINDS } from './replay-record.ts'

/** Entries of each list of names, most frequent first. */
const MOST_SHOWN = 10
const UNNAMED = 'Unknown'

interface Tokens {
  input_tokens: number
  output_tokens: number
  total_tokens: number
}

/** Takes records one by one; what is not wanted counts only towards the lists of what there is to choose from. */
export class ReplayAggregate {
  #count = 0
  readonly #lifecycle = { completed: 0, failed: 0, aborted: 0, in_progress: 0, unknown: 0 }
  readonly #models = new Map<string, number>()
  readonly #decisions = new Map<string, number>()
  readonly #workers = new Map<string, number>()
  readonly #statuses = new Map<string, number>()
  readonly #signals = new Map<string, number>()
  readonly #tokens: Tokens = { input_tokens: 0, output_tokens: 0, total_tokens: 0 }
  #withoutTokens = 0
  readonly #tokensByDecision = new Map<string, Tokens>()
  readonly #tokensByModel = new Map<string, Tokens>()
  readonly #knownDecisions = new Set<string>()
  readonly #knownModels = new Set<string>()

  add(record: ReplayRecord, isWanted: boolean): void {
    if (record.decision !== undefined) this.#knownDecisions.add(record.decision)
    if (record.selected_model !== undefined) this.#knownModels.add(record.selected_model)
    if (!isWanted) return
    this.#count += 1
    this.#lifecycle[record.lifecycle_state] += 1
    addTo(this.#models, record.selected_model ?? UNNAMED)
    addTo(this.#decisions, record.decision ?? UNNAMED)
    addTo(this.#workers, record.worker ?? UNNAMED)
    addTo(this.#statuses, String(record.response_status))
    for (const kind of SIGNAL_KINDS) if (record.signals[kind].length > 0) addTo(this.#signals, kind)
    this.#addTokens(record)
  }

  result() {
    return {
      object: 'router_replay.aggregate',
      record_count: this.#count,
      lifecycle: this.#lifecycle,
      model_selection: mostFrequent(this.#models),
      decision_distribution: mostFrequent(this.#decisions),
      worker_distribution: mostFrequent(this.#workers),
      status_distribution: mostFrequent(this.#statuses),
      signal_distribution: mostFrequent(this.#signals),
      token_volume: { ...this.#tokens, excluded_record_count: this.#withoutTokens },
      token_breakdown: {
        by_decision: byTotal(this.#tokensByDecision),
        by_selected_model: byTotal(this.#tokensByModel),
      },
      available_decisions: [...this.#knownDecisions].sort(),
      available_models: [...this.#knownModels].sort(),
    } as const
  }

  /** Records whose worker did not count are left out, and counted as that. */
  #addTokens({ usage, decision, selected_model: model }: ReplayRecord): void {
    if (usage?.prompt_tokens === undefined || usage.total_tokens === undefined) {
      this.#withoutTokens += 1
      return
    }
    const tokens: Tokens = {
      input_tokens: usage.prompt_tokens,
      output_tokens: usage.completion_tokens ?? 0,
      total_tokens: usage.total_tokens,
    }
    addTokens(this.#tokens, tokens)
    addTokens(entryOf(this.#tokensByDecision, decision ?? UNNAMED), tokens)
    addTokens(entryOf(this.#tokensByModel, model ?? UNNAMED), tokens)
  }
}

function addTo(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}

function addTokens(sum: Tokens, { input_tokens: input, output_tokens: output, total_tokens: total }: Tokens): void {
  sum.input_tokens += input
  sum.output_tokens += output
  sum.total_tokens += total
}

function entryOf(map: Map<string, Tokens>, name: string): Tokens {
  const known = map.get(name) ?? { input_tokens: 0, output_tokens: 0, total_tokens: 0 }
  map.set(name, known)
  return known
}

const byName = (one: string, other: string) => (one < other ? -1 : 1)

function mostFrequent(counts: ReadonlyMap<string, number>) {
  const entries = Array.from(counts, ([name, value]) => ({ name, value }))
  return entries.sort((a, b) => b.value - a.value || byName(a.name, b.name)).slice(0, MOST_SHOWN)
}

function byTotal(tokens: ReadonlyMap<string, Tokens>) {
  const entries = Array.from(tokens, ([name, sum]) => ({ name, ...sum }))
  return entries.sort((a, b) => b.total_tokens - a.total_tokens || byName(a.name, b.name)).slice(0, MOST_SHOWN)
}
