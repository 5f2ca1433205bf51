// SharedPrefixes over any store of hints: which of a prompt's keys are worth writing and asking for, how often, and how
// long that may take.

import { type CallBounds, callWithin } from './bounded-call.ts'
import type { PrefixHintStore } from './prefix-hints.ts'
import type { SharedPrefixAnswer, SharedPrefixes } from './shared-prefixes.ts'

export interface ToldPrefixesOptions {
  readonly store: PrefixHintStore
  readonly reads: CallBounds
  readonly writes: CallBounds
  readonly ttlMs: number
  readonly writeProbability: number
  readonly readsOnLocalMiss: boolean
  /** A number in [0, 1). */
  random(): number
}

/** Blocks at the end of a prompt that may be new since its conversation was last told of: 64 KiB with blocks of 2 KiB. */
const MAX_NEW_BLOCKS = 32

const NEVER = new AbortController().signal

/** In the words of records. */
const FAILED = { timeout: 'timeout', error: 'unreachable', aborted: 'aborted', open: 'breaker_open' } as const

export function createToldPrefixes(options: ToldPrefixesOptions): SharedPrefixes {
  const { store, reads, writes, ttlMs, writeProbability, readsOnLocalMiss, random } = options
  let written = 0
  return {
    written: () => written,
    async find(keys, signal): Promise<SharedPrefixAnswer> {
      const lengths = readsOnLocalMiss ? askedLengths(keys.length) : []
      if (lengths.length === 0) return { hint: null, outcome: 'not_asked' }
      const asked = lengths.map((length) => keys[length - 1] ?? '')
      const outcome = await callWithin(reads, signal, (own) => store.read(asked, own))
      if (outcome.kind !== 'answer') return { hint: null, outcome: FAILED[outcome.kind] }
      const at = outcome.value.findIndex((candidateId) => candidateId !== null)
      const [candidateId, blocks] = [outcome.value[at] ?? null, lengths[at] ?? 0]
      return candidateId === null ? { hint: null, outcome: 'miss' } : { hint: { candidateId, blocks }, outcome: 'ok' }
    },
    note(keys, candidateId, waitUntil) {
      if (keys.length === 0 || random() >= writeProbability) return
      const told = toldLengths(keys.length).map((length) => keys[length - 1] ?? '')
      const write = callWithin(writes, NEVER, (own) => store.write(told, candidateId, ttlMs, own))
      waitUntil(write.then(({ kind }) => void (written += kind === 'answer' ? 1 : 0)))
    },
  }
}

/**
 * How many blocks are told of: all of them, for the prompt that goes on from here, and beginnings of 1, 2, 4, 8 … blocks,
 * for the one that shares a beginning and goes another way.
 */
export function toldLengths(blocks: number): readonly number[] {
  return [blocks, ...powersBelow(blocks)]
}

/** How many blocks are asked for, the longest first: any that a conversation's last prompt may have had, and beginnings. */
export function askedLengths(blocks: number): readonly number[] {
  const last = Array.from({ length: Math.min(blocks, MAX_NEW_BLOCKS) }, (_, at) => blocks - at)
  return [...last, ...powersBelow(last.at(-1) ?? 0)]
}

/** Powers of two below a number, the largest first. */
function powersBelow(limit: number): readonly number[] {
  const powers: number[] = []
  for (let power = 1; power < limit; power *= 2) powers.unshift(power)
  return powers
}
