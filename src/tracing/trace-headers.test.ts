// What of a caller's trace goes on to services.

import { expect, test } from 'vitest'
import { callerTrace } from './trace-headers.ts'

const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

test.each<[string, Record<string, string>, object]>([
  ['both', { traceparent: PARENT, tracestate: 'a=b' }, { traceparent: PARENT, tracestate: 'a=b' }],
  ['no state', { traceparent: PARENT }, { traceparent: PARENT }],
  ['no baggage', { traceparent: PARENT, baggage: 'user=1' }, { traceparent: PARENT }],
  ['nothing that is no trace', { traceparent: 'mine', tracestate: 'a=b' }, {}],
  ['no state without its trace', { tracestate: 'a=b' }, {}],
  ['no state that is not plain', { traceparent: PARENT, tracestate: 'a=\u00e9' }, { traceparent: PARENT }],
])('%s', (_name, headers, expected) => {
  expect(callerTrace(new Headers(headers))).toEqual(expected)
})
