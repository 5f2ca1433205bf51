// What one request asks of the state that processes or isolates share: a turn, the owner of a response, a share of its
// tenant's limits. On Cloudflare each is a call to a Durable Object, and the request waits for it.

import { SPAN_STORE_CALL } from '../tracing/span-names.ts'
import type { Exchange } from './exchange.ts'
import { endSpan } from './step.ts'
import { beginStage } from './tracing.ts'

/** What is asked, in a word for operators. */
export type StoreCall = 'take_turn' | 'find_response' | 'remember_response' | 'lease_limits' | 'read_prefix_hints'

/** Waits within a span of its own, where the request leaves spans. */
export function withinStoreCall<Value>(
  exchange: Pick<Exchange, 'tracing'>,
  call: StoreCall,
  asked: Promise<Value>,
): Promise<Value> {
  const span = beginStage(exchange, SPAN_STORE_CALL, { kind: 'client' })
  if (span === null) return asked
  span.set({ 'vllm.router.store_call': call })
  return asked
    .catch((error: unknown) => {
      span.fail('unreachable')
      throw error
    })
    .finally(() => span.end())
}

/** The same of a call that is over, where only its end shows that there was one. */
export function noteStoreCall(
  exchange: Pick<Exchange, 'tracing'>,
  call: StoreCall,
  { startMs, outcome }: { readonly startMs: number; readonly outcome: string },
): void {
  const span = beginStage(exchange, SPAN_STORE_CALL, { kind: 'client', startMs })
  if (span === null) return
  span.set({ 'vllm.router.store_call': call })
  endSpan(span, outcome)
}
