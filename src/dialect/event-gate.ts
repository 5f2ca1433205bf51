// Lets whole events through and holds an unfinished one back, so that something can follow cleanly after a cut, or an
// event be left out. Bytes stay as they are and in order; what is held is bounded, and an event beyond that bound passes.

import { joinBytes } from './join-bytes.ts'
import { createSseScan, readSseEvent, resetSseScan, scanSseEvent, type SseEvent, type SseScan } from './sse.ts'

export interface EventGate {
  readonly scan: SseScan
  /** The unfinished event, in the first `heldBytes` of a buffer with room to grow. */
  held: Uint8Array
  heldBytes: number
  big: BigEvent | null
}

/** An event too big to hold: how much of it has passed, and what is needed to judge it at its end. */
interface BigEvent {
  passedBytes: number
  readonly name: Uint8Array | null
  /** Its last bytes, in the first `tailBytes` of a buffer twice as long as what must be kept. */
  readonly tail: Uint8Array
  tailBytes: number
}

/** Sees each event with data as it passes; returns bytes to put in front of it, `drop` to leave it out, or null. */
export type OnEvent = (event: SseEvent) => Uint8Array | 'drop' | null

/** Where what passes differs from what came: `bytes` take the place of what lies between. */
interface Change {
  readonly start: number
  readonly end: number
  readonly bytes: Uint8Array
}

/** An unfinished event is held back up to here; a bigger one passes as it comes. */
export const MAX_HELD_BYTES = 64 * 1024

/** Kept of an event that is too big to hold, for the fields at its end. */
const TAIL_BYTES = 4 * 1024

export function createEventGate(): EventGate {
  return { scan: createSseScan(), held: new Uint8Array(0), heldBytes: 0, big: null }
}

/** What may go on now; null when nothing may. The chunk itself when it ends with an event and nothing was held. */
export function pushChunk(gate: EventGate, chunk: Uint8Array, onEvent: OnEvent): Uint8Array | null {
  if (gate.big !== null) return pushIntoBig(gate, gate.big, { chunk, onEvent })
  if (gate.heldBytes === 0) return passWholeEvents(gate, { chunk, onEvent }, 0)
  appendToHeld(gate, chunk)
  return passWholeEvents(gate, { chunk: gate.held.subarray(0, gate.heldBytes), onEvent }, 0)
}

/** Takes the unfinished event out, to send or to drop. */
export function takeHeld(gate: EventGate): Uint8Array | null {
  const held = gate.heldBytes === 0 ? null : gate.held.subarray(0, gate.heldBytes)
  gate.heldBytes = 0
  return held
}

interface Push {
  readonly chunk: Uint8Array
  readonly onEvent: OnEvent
}

function passWholeEvents(gate: EventGate, { chunk, onEvent }: Push, from: number): Uint8Array | null {
  let passed = from
  let changes: Change[] | null = null
  for (;;) {
    const eventEnd = scanSseEvent(gate.scan, chunk, passed)
    if (eventEnd < 0) break
    const event = readSseEvent(gate.scan, chunk, passed)
    const verdict = event === null ? null : onEvent(event)
    if (verdict !== null) (changes ??= []).push(toChange(verdict, passed, eventEnd))
    resetSseScan(gate.scan)
    passed = eventEnd
  }
  if (chunk.length - passed > MAX_HELD_BYTES) passed = startBig(gate, { chunk, onEvent }, passed)
  holdFrom(gate, chunk, passed)
  if (passed === 0) return null
  const whole = passed === chunk.length ? chunk : chunk.subarray(0, passed)
  return changes === null ? whole : withChanges(whole, changes)
}

function toChange(verdict: Uint8Array | 'drop', start: number, end: number): Change {
  return verdict === 'drop' ? { start, end, bytes: EMPTY } : { start, end: start, bytes: verdict }
}

function withChanges(whole: Uint8Array, changes: readonly Change[]): Uint8Array {
  let from = 0
  const parts = changes.flatMap(({ start, end, bytes }) => {
    const kept = whole.subarray(from, start)
    from = end
    return [kept, bytes]
  })
  return joinBytes([...parts, whole.subarray(from)])
}

// A copy, because the chunk is the caller's; a fresh one, because a held buffer that was passed on is the receiver's.
function holdFrom(gate: EventGate, chunk: Uint8Array, from: number): void {
  const rest = chunk.length - from
  if (from === 0 && gate.heldBytes > 0) return
  gate.heldBytes = rest
  gate.held = rest === 0 ? EMPTY : new Uint8Array(Math.max(512, rest * 2))
  if (rest > 0) gate.held.set(chunk.subarray(from))
}

function appendToHeld(gate: EventGate, chunk: Uint8Array): void {
  const total = gate.heldBytes + chunk.length
  if (total > gate.held.length) {
    const grown = new Uint8Array(total * 2)
    grown.set(gate.held.subarray(0, gate.heldBytes))
    gate.held = grown
  }
  gate.held.set(chunk, gate.heldBytes)
  gate.heldBytes = total
}

function startBig(gate: EventGate, { chunk, onEvent }: Push, eventStart: number): number {
  const { nameStart, nameEnd } = gate.scan
  const name = nameStart < 0 ? null : chunk.slice(eventStart + nameStart, eventStart + nameEnd)
  const head = chunk.subarray(eventStart)
  gate.big = { passedBytes: head.length, name, tail: new Uint8Array(2 * TAIL_BYTES), tailBytes: 0 }
  keepTail(gate.big, head)
  onEvent({ name, data: head, part: 'head' })
  return chunk.length
}

function pushIntoBig(gate: EventGate, big: BigEvent, push: Push): Uint8Array | null {
  const { chunk, onEvent } = push
  const eventEnd = scanSseEvent(gate.scan, chunk, -big.passedBytes)
  const own = eventEnd < 0 ? chunk : chunk.subarray(0, eventEnd)
  keepTail(big, own)
  big.passedBytes += own.length
  if (eventEnd < 0) return chunk
  onEvent({ name: big.name, data: big.tail.subarray(0, big.tailBytes), part: 'tail' })
  gate.big = null
  resetSseScan(gate.scan)
  return passWholeEvents(gate, push, eventEnd)
}

// Moves bytes only when the buffer is full, so that an event in tiny chunks costs no more than in one.
function keepTail(big: BigEvent, bytes: Uint8Array): void {
  const added = bytes.subarray(-TAIL_BYTES)
  if (big.tailBytes + added.length > big.tail.length) {
    big.tail.copyWithin(0, big.tailBytes - TAIL_BYTES, big.tailBytes)
    big.tailBytes = TAIL_BYTES
  }
  big.tail.set(added, big.tailBytes)
  big.tailBytes += added.length
}

const EMPTY = new Uint8Array(0)
