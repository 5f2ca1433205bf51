// What a decision saw of a candidate that changes fast, in as few bytes as it takes: only what is not as usual.

import type { Availability, CandidateView, ScrapedLoad } from '../routing/policy.ts'
import type { RecordedNow } from './schema.ts'

/** What of a candidate changes from one request to the next. */
export type FastFacts = Omit<CandidateView, 'id' | 'workerId' | 'rank' | 'weight' | 'labels' | 'models'>

/** As usual: up, idle, taking its full share, with no word of its own load. */
const USUAL: FastFacts = {
  availability: 'up',
  hasPermit: false,
  share: 1,
  inFlightHere: 0,
  inFlightElsewhere: 0,
  scraped: null,
}

/** Numbers of the scrape begin here; there are at least four of them when there was one. */
const SCRAPE_AT = 2

/** Undefined for a candidate about which everything is as usual. */
export function toRecordedNow(candidate: FastFacts): RecordedNow | undefined {
  const { inFlightHere, inFlightElsewhere, scraped } = candidate
  const words = toWords(candidate)
  if (scraped === null && words === null) {
    if (inFlightElsewhere !== 0) return [inFlightHere, inFlightElsewhere]
    return inFlightHere === 0 ? undefined : [inFlightHere]
  }
  const numbers = [inFlightHere, inFlightElsewhere]
  if (scraped !== null) {
    numbers.push(scraped.running, scraped.waiting, scraped.ours, scraped.ageMs)
    if (scraped.kvUsage !== null) numbers.push(scraped.kvUsage)
  }
  return words === null ? numbers : [...numbers, words]
}

type Words = Exclude<RecordedNow[number], number>

function toWords({ availability, share, hasPermit }: FastFacts): Words | null {
  if (availability === 'up' && share === 1 && !hasPermit) return null
  return {
    is: availability === 'up' ? undefined : availability,
    share: share === 1 ? undefined : share,
    permit: hasPermit ? true : undefined,
  }
}

/** The facts that `toRecordedNow` was given. `isKnownNow` must hold. */
export function fromRecordedNow(now: RecordedNow | 0): FastFacts {
  if (now === 0) return USUAL
  const words = wordsOf(now)
  return {
    availability: (words?.is as Availability | undefined) ?? 'up', // one of those words, says `isKnownNow`
    hasPermit: words?.permit === true,
    share: words?.share ?? 1,
    inFlightHere: numberAt(now, 0) ?? 0,
    inFlightElsewhere: numberAt(now, 1) ?? 0,
    scraped: scrapeOf(now),
  }
}

function scrapeOf(now: RecordedNow): ScrapedLoad | null {
  const running = numberAt(now, SCRAPE_AT)
  if (running === null) return null
  return {
    running,
    waiting: numberAt(now, SCRAPE_AT + 1) ?? 0,
    ours: numberAt(now, SCRAPE_AT + 2) ?? 0,
    ageMs: numberAt(now, SCRAPE_AT + 3) ?? 0,
    kvUsage: numberAt(now, SCRAPE_AT + 4),
  }
}

function numberAt(now: RecordedNow, at: number): number | null {
  const item = now[at]
  return typeof item === 'number' ? item : null
}

function wordsOf(now: RecordedNow): Words | null {
  const last = now[now.length - 1]
  return typeof last === 'object' ? last : null
}

/** Whether this version knows the word for the candidate's availability. */
export function isKnownNow(now: RecordedNow | 0): boolean {
  const is = now === 0 ? undefined : wordsOf(now)?.is
  return is === undefined || Object.hasOwn(AVAILABILITIES, is)
}

/** Every word there is; a new one that is missing here does not compile. */
const AVAILABILITIES: Readonly<Record<Availability, true>> = {
  unknown: true,
  up: true,
  half_open: true,
  suspect: true,
  ejected: true,
  down: true,
  open: true,
  hung: true,
  asleep: true,
  draining: true,
  parked: true,
}
