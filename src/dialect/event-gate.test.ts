// The event scanner against eventsource-parser: the same events from the same text, whatever the pieces.
// And the gate's own promise: what has passed and what is held is always the input.

import { createParser } from 'eventsource-parser'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { joinBytes, splitBytes } from '../../test/conformance/dialect.ts'
import { createEventGate, pushChunk, takeHeld } from './event-gate.ts'

const lineEnd = fc.constantFrom('\n', '\r\n', '\r', '\n\n', '\r\n\r\n', '\r\r', '\n\r\n', '\r\n\n', '')
const line = fc.oneof(
  fc.constantFrom(
    'data: {"a":1}',
    'data:x',
    'data:  y',
    'data',
    'data:',
    'data: ',
    'dataset: x',
    'datax',
    'event: a',
    'event:b',
    'event',
    'event:',
  ),
  fc.constantFrom(
    ': comment',
    ':',
    'id: 1',
    'retry: 10',
    'unknown: x',
    ' data: x',
    'data : x',
    'Data: x',
    '\ufeffdata: x',
    '',
    'data: 😀漢é',
    'data: a:b',
  ),
  fc.string({ unit: fc.constantFrom(...'dataevnt: x\u0000é😀\u2028') }),
)
const stream = fc
  .tuple(
    fc.constantFrom('', '', '\ufeff', '\ufeff\ufeff'),
    fc.array(
      fc.tuple(line, lineEnd).map((parts) => parts.join('')),
      { maxLength: 30 },
    ),
  )
  .map(([mark, lines]) => mark + lines.join(''))

interface Seen {
  readonly name: string
  readonly data: string
}

function expected(text: string): Seen[] {
  const events: Seen[] = []
  const parser = createParser({ onEvent: ({ event, data }) => events.push({ name: event ?? '', data }) })
  parser.feed(text)
  return events
}

test('finds the events that eventsource-parser finds, in any pieces, and loses no byte', () => {
  fc.assert(
    fc.property(stream, fc.array(fc.nat(), { maxLength: 40 }), (text, places) => {
      const bytes = new TextEncoder().encode(text)
      const decode = (part: Uint8Array) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(part)
      const gate = createEventGate()
      const events: Seen[] = []
      const passed = splitBytes(bytes, places).map((piece) =>
        pushChunk(gate, piece, ({ name, data }) => {
          events.push({ name: decode(name ?? new Uint8Array()), data: decode(data) })
          return null
        }),
      )
      expect(events).toEqual(expected(text))
      // What went out alone shows the same events: nothing whole is held back, nothing half let through.
      expect(expected(decode(joinBytes(passed)))).toEqual(expected(text))
      expect(joinBytes([...passed, takeHeld(gate)])).toEqual(bytes)
    }),
    { numRuns: 5000 },
  )
})
