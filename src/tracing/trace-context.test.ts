// Trace context: what is one passes, what is none is left out.

import { expect, test } from 'vitest'
import { dropBadTraceContext, isTraceparent } from './trace-context.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = 'b7ad6b7169203331'
const GOOD = `00-${TRACE}-${PARENT}-01`

test.each([GOOD, `00-${TRACE}-${PARENT}-00`, `01-${TRACE}-${PARENT}-01`, `cc-${TRACE}-${PARENT}-01-what-comes-later`])(
  '%s is a trace',
  (value) => expect(isTraceparent(value)).toBe(true),
)

test.each([
  '',
  'zz',
  GOOD.toUpperCase(),
  `${GOOD}-more`,
  `${GOOD}, ${GOOD}`,
  ` ${GOOD}`,
  `ff-${TRACE}-${PARENT}-01`,
  `00-${'0'.repeat(32)}-${PARENT}-01`,
  `00-${TRACE}-${'0'.repeat(16)}-01`,
  `00-${TRACE}-${PARENT}`,
  `00-${TRACE.slice(1)}-${PARENT}-01`,
  `00-${TRACE}-${PARENT}-0g`,
])('%s is none', (value) => expect(isTraceparent(value)).toBe(false))

test('tracestate goes with its traceparent, baggage only when it is too long', () => {
  const kept = { traceparent: GOOD, tracestate: 'a=1', baggage: 'b=2' }
  dropBadTraceContext(kept)
  expect(kept).toEqual({ traceparent: GOOD, tracestate: 'a=1', baggage: 'b=2' })
  const dropped = { traceparent: 'zz', tracestate: 'a=1', baggage: `b=${'x'.repeat(8_191)}` }
  dropBadTraceContext(dropped)
  expect(dropped).toEqual({})
  const alone = { tracestate: 'a=1', baggage: 'b=2' }
  dropBadTraceContext(alone)
  expect(alone).toEqual({ baggage: 'b=2' })
})
