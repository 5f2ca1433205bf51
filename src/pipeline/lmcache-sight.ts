// Finds out whether LMCache's control plane can see: what it says of prompts that a worker has just computed, asked a while
// after the request has ended, and what workers say they had cached of what it promised. Off the path of every request.

import type { ExchangeOutcome } from '../record/lifecycle.ts'
import type { LmcacheOccupancyView } from '../store/lmcache-occupancy.ts'
import { BlindnessJudge, LIKELY_CAUSES, type Sight } from '../upstream/lmcache/blindness.ts'
import type { Exchange } from './exchange.ts'
import type { LookupDesk } from './lmcache-desk.ts'
import type { Usage } from './record.ts'
import type { RouterParts } from './router-parts.ts'

/** What is looked up of a prompt; shorter ones are no sample, as a chunk may be lost anywhere. */
const LONG_TOKENS = 512

/** How long workers and control plane have to tell each other what has been computed. */
const SETTLE_MS = 5_000

/** A prompt that was looked up, as far as it is needed to look it up again. */
export interface LookedUp {
  /** Its beginning, to be looked up again; null where that is not wanted, so that not every request holds it. */
  readonly ids: readonly number[] | null
  readonly model: string | null
  readonly cacheSalt: string
}

/** What became of a probe. */
export type ProbeOutcome = 'known' | 'unknown' | 'failed'

/** What one process or isolate has seen of a control plane; it outlives configurations that ask the same one. */
export class LmcacheSight {
  readonly judge = new BlindnessJudge()
  /** Workers that have said how much of a prompt they had cached. */
  readonly #tellers = new Set<string>()

  /**
   * What a worker had cached, null where that can't be known: vLLM leaves out a count of zero, and every count unless it was
   * started with `--enable-prompt-tokens-details`.
   */
  cachedBy(workerId: string, { cachedTokens }: Pick<Usage, 'cachedTokens'>): number | null {
    if (cachedTokens !== null) this.#tellers.add(workerId)
    return cachedTokens ?? (this.#tellers.has(workerId) ? 0 : null)
  }
}

export type LookedUpPrompt = Omit<LookedUp, 'ids'> & {
  readonly ids: ArrayLike<number>
  /** Leading tokens that anybody was said to hold; null when nothing came of it. */
  readonly knownTokens: number | null
}

/** A request has looked its prompt up. */
export function noteLookedUp(
  parts: Pick<RouterParts, 'platform' | 'events'>,
  sight: LmcacheSight,
  exchange: Exchange,
  { ids, knownTokens, ...prompt }: LookedUpPrompt,
): void {
  if ((knownTokens ?? 0) > 0) change(parts, sight, (nowMs) => sight.judge.noteKnown(nowMs))
  const isSample = ids.length >= LONG_TOKENS && sight.judge.takeProbe(parts.platform.now())
  exchange.lookedUp = { ids: isSample ? Array.from({ length: LONG_TOKENS }, (_, at) => ids[at] ?? 0) : null, ...prompt }
}

type SightParts = Pick<RouterParts, 'platform' | 'events' | 'mirror' | 'lmcache'>

/** A request has ended. Called off its path. */
export function judgeLookup(parts: SightParts, exchange: Exchange, end: ExchangeOutcome): void {
  const { lookedUp, worker } = exchange
  const lookups = parts.lmcache?.lookups ?? null
  // Without a worker nobody has computed anything.
  if (lookedUp === null || lookups === null || worker === null) return
  const isWhole = end.status >= 200 && end.status < 300 && (end.streamEnd ?? 'complete') === 'complete'
  if (!isWhole) return
  judgePromise(parts, lookups.sight, exchange)
  const { ids } = lookedUp
  if (ids !== null) exchange.context.waitUntil(probe(parts, lookups, { ...lookedUp, ids }))
}

function judgePromise(parts: SightParts, sight: LmcacheSight, { trace, worker, usage }: Exchange): void {
  const workerId = worker?.config.id
  if (workerId === undefined || usage === null || trace?.decision.chosen?.workerId !== workerId) return
  const predictedTokens = trace.input.lmcache?.matchedTokens?.[workerId] ?? 0
  const actualTokens = sight.cachedBy(workerId, usage)
  if (actualTokens === null) return
  change(parts, sight, (nowMs) => sight.judge.notePromise({ predictedTokens, actualTokens }, nowMs))
}

/** Waits within the request that made it, as on workerd no other may. Never rejects. */
async function probe(
  parts: SightParts,
  { client, sight }: LookupDesk,
  { ids, ...prompt }: LookedUp & { readonly ids: readonly number[] },
): Promise<void> {
  const { platform, events, lmcache } = parts
  await new Promise<void>((resolve) => void platform.after(SETTLE_MS, resolve))
  const timeoutMs = lmcache?.needs.controllerTimeoutMs ?? SETTLE_MS
  const reply = await client.lookup({ ids, ...prompt, timeoutMs, signal: new AbortController().signal })
  if (reply.kind === 'failure') return events.lmcacheProbed('failed')
  const isKnown = reply.answer.knownTokens > 0
  events.lmcacheProbed(isKnown ? 'known' : 'unknown')
  change(parts, sight, (nowMs) =>
    isKnown ? sight.judge.noteKnown(nowMs) : sight.judge.noteUnknown(keysOf(parts.mirror.lmcache()), nowMs),
  )
}

/** Keys over all instances, as last heard; null where that is not known. */
export function keysOf(view: LmcacheOccupancyView | null): number | null {
  const counts = (view?.instances ?? []).flatMap(({ chunks }) => chunks ?? [])
  return counts.length === 0 ? null : counts.reduce((sum, count) => sum + count, 0)
}

export function likelyCausesOf({ because }: Sight): string | null {
  return because === null ? null : LIKELY_CAUSES[because]
}

/** Notes something, and tells when that makes it blind, or ends that. */
function change(
  { platform, events }: Pick<RouterParts, 'platform' | 'events'>,
  sight: LmcacheSight,
  note: (nowMs: number) => void,
): void {
  const wasBlind = sight.judge.sight().state === 'blind'
  note(platform.now())
  const now = sight.judge.sight()
  if (wasBlind !== (now.state === 'blind')) events.lmcacheSightChanged(now, likelyCausesOf(now))
}
