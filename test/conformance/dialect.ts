// What the tap on a streamed answer must do for every dialect: bytes untouched, each cut noticed and reported once.
// Called in one line per kind of stream; the fixtures are streams in vLLM's shapes under test/fixtures/sse.

import { readFileSync } from 'node:fs'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createStreamTap, type StreamKind, type StreamTap } from '../../src/dialect/stream-tap.ts'
import type { TokenUsage } from '../../src/dialect/usage.ts'

export interface DialectSpec {
  readonly kind: StreamKind
  /** Fixtures that end as they must, each with the usage it reports. */
  readonly complete: Readonly<Record<string, TokenUsage | null>>
  /** Fixtures in which the worker reports an error itself. */
  readonly failed: readonly string[]
  readonly responseId: string | null
  /** Whether this event is one that the dialect's clients raise on. */
  isError(event: EventSourceMessage): boolean
}

export function readStreamFixture(name: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(new URL(`../fixtures/sse/${name}`, import.meta.url)))
}

/** The same stream in other legal spellings. */
export const SPELLINGS: Readonly<Record<string, (text: string) => string>> = {
  'line feeds': (text) => text,
  'CR LF': (text) => text.replaceAll('\n', '\r\n'),
  'CR alone': (text) => text.replaceAll('\n', '\r'),
  'mixed line ends': (text) => text.replaceAll('\n\n', '\r\n\n'),
  'a byte order mark, comments and blank lines': (text) =>
    `\ufeff: hello\n\n\n${text.replaceAll('\n\n', '\n: ping\n\n:\n\n')}`,
  'no space after the colon, and other fields': (text) =>
    text.replaceAll('data: ', 'retry: 5\ndata:').replaceAll('\n\n', '\nid: 1\n\n'),
  'data over two lines': (text) => text.replaceAll(/^(data: \{)(".*)$/gm, '$1\ndata: $2'),
}

export function joinBytes(parts: readonly (Uint8Array | null)[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(parts.filter((part) => part !== null)))
}

/** Cuts bytes at the given places, wherever they lie. */
export function splitBytes(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const cuts = [...new Set(places.map((place) => place % (bytes.length + 1)))].toSorted((a, b) => a - b)
  return [0, ...cuts].map((start, index) => bytes.slice(start, cuts[index] ?? bytes.length))
}

export function parseEvents(bytes: Uint8Array): EventSourceMessage[] {
  const events: EventSourceMessage[] = []
  createParser({ onEvent: (event) => events.push(event) }).feed(
    new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes),
  )
  return events
}

const places = fc.array(fc.nat(), { maxLength: 12 })

/** The conformance suite of one kind of stream. */
export function dialectConformance(spec: DialectSpec): void {
  describe(`the tap on ${spec.kind}`, () => {
    for (const [name, usage] of Object.entries(spec.complete)) {
      for (const [spelling, respell] of Object.entries(SPELLINGS)) {
        const bytes = new TextEncoder().encode(respell(new TextDecoder().decode(readStreamFixture(name))))
        describe(`${name} with ${spelling}`, () => completeStream(spec, bytes, usage))
      }
    }
    for (const name of spec.failed) {
      test(`${name}: the worker's own error is the only one`, () => workerError(spec, readStreamFixture(name)))
    }
    test('an empty stream is a cut one', () =>
      expectReported(spec, readStreamFixture(Object.keys(spec.complete)[0] ?? ''), 0))
  })
}

function completeStream(spec: DialectSpec, bytes: Uint8Array, usage: TokenUsage | null): void {
  const expectComplete = (tap: StreamTap, passed: readonly (Uint8Array | null)[]) => {
    const end = tap.end()
    expect(joinBytes([...passed, end.bytes])).toEqual(new Uint8Array(bytes))
    expect(end.outcome).toBe('complete')
    expect(tap.state).toMatchObject({ firstEventSeen: true, terminatorSeen: true, errorSeen: false })
    expect(tap.usage()).toEqual(usage)
    expect(tap.responseId()).toBe(spec.responseId)
    expect(tap.fail('too late')).toBeNull()
  }

  test('passes as it is: in one piece without a copy, byte by byte, in random pieces', () => {
    const whole = createStreamTap(spec.kind)
    const passed = whole.push(bytes)
    expect(passed).toBe(bytes)
    expectComplete(whole, [passed])
    const single = createStreamTap(spec.kind)
    expectComplete(
      single,
      Array.from(bytes, (byte) => single.push(Uint8Array.of(byte))),
    )
    fc.assert(
      fc.property(places, (at) => {
        const tap = createStreamTap(spec.kind)
        expectComplete(
          tap,
          splitBytes(bytes, at).map((piece) => tap.push(piece)),
        )
      }),
      { numRuns: 30 },
    )
  })

  test('cut at every byte: whole events and one error, never complete while a byte of them is missing', () => {
    const whole = parseEvents(bytes).length
    let lastCut = bytes.length - 1
    // What follows the last event's end (comments, the line feed after its last CR) adds nothing to it.
    while (parseEvents(bytes.subarray(0, lastCut)).length === whole) lastCut--
    // Where no more is missing than the blank line, nothing is lost, and the tap adds it.
    const firstWhole = firstIndex(lastCut, (cut) => isAllThere(bytes, cut))
    for (let cut = 0; cut < firstWhole; cut++) expectReported(spec, bytes, cut)
    for (let cut = firstWhole; cut <= lastCut; cut++) expectCompleted(spec, bytes, cut)
  })
}

/** The first of the indices up to `last` from which on all hold; `last + 1` when none does. */
function firstIndex(last: number, holds: (index: number) => boolean): number {
  let first = last + 1
  while (first > 0 && holds(first - 1)) first--
  return first
}

/** Whether the events up to a cut say the same as all of them, were the last one ended. */
function isAllThere(bytes: Uint8Array, cut: number): boolean {
  const said = (stream: Uint8Array) => JSON.stringify(parseEvents(stream).map(({ event, data }) => [event, data]))
  return said(joinBytes([bytes.subarray(0, cut), new TextEncoder().encode('\n\n')])) === said(bytes)
}

// The terminator is all there but for the blank line that has parsers see it: the tap adds that.
function expectCompleted(spec: DialectSpec, bytes: Uint8Array, cut: number): void {
  const tap = createStreamTap(spec.kind)
  const passed = tap.push(bytes.slice(0, cut))
  const end = tap.end()
  expect(end.outcome).toBe('complete')
  const said = parseEvents(joinBytes([passed, end.bytes])).map(({ event, data }) => [event, data])
  expect(said).toEqual(parseEvents(bytes).map(({ event, data }) => [event, data]))
  expect(tap.fail('too late')).toBeNull()
}

// The cut shows as a clean end, as a broken connection, and in pieces of every size.
function expectReported(spec: DialectSpec, bytes: Uint8Array, cut: number): void {
  const complete = parseEvents(bytes)
  const kept = bytes.subarray(0, cut)
  for (const ending of ['end', 'fail'] as const) {
    const tap = createStreamTap(spec.kind)
    const passed = splitBytes(kept, [cut >> 1, cut * 7, cut - 1, cut - 2].map(Math.abs)).map((piece) => tap.push(piece))
    const wholeEvents = joinBytes(passed)
    const last =
      ending === 'end'
        ? tap.end()
        : { bytes: tap.fail('The worker timed out.', 'upstream_timeout'), outcome: 'truncated' }
    expect(last.outcome).toBe('truncated')
    expect(new Uint8Array(kept.subarray(0, wholeEvents.length))).toEqual(wholeEvents)
    const events = parseEvents(joinBytes([wholeEvents, last.bytes]))
    expect(events.slice(0, -1)).toEqual(complete.slice(0, events.length - 1))
    expect(events.findIndex((event) => spec.isError(event))).toBe(events.length - 1)
    expect(JSON.stringify(events)).not.toContain('\ufffd')
    expect(tap.fail('again')).toBeNull()
  }
}

function workerError(spec: DialectSpec, bytes: Uint8Array): void {
  for (const at of [[], Array.from(bytes.keys())]) {
    const tap = createStreamTap(spec.kind)
    const passed = splitBytes(bytes, at).map((piece) => tap.push(piece))
    const end = tap.end()
    expect(end.outcome).toBe('error_reported')
    expect(tap.state.errorSeen).toBe(true)
    expect(tap.fail('again')).toBeNull()
    expect(joinBytes([...passed, end.bytes])).toEqual(bytes)
  }
}
