// Names of spans, which dashboards and alerts are built on: a contract. Those that the Rust router has are kept.

export const SPAN_HOOKS_PIPELINE = 'hooks.pipeline'
export const SPAN_HOOK_EXECUTE = 'hook.execute'
export const SPAN_EXACT_LOOKUP = 'cache.exact_lookup'
export const SPAN_SEMANTIC_LOOKUP = 'cache.semantic_lookup'
export const SPAN_EMBEDDING_FETCH = 'embedding.fetch'
export const SPAN_ROUTING_CLUSTER = 'routing.cluster'
export const SPAN_ROUTING_DECIDE = 'routing.decide'
export const SPAN_SIGNALS_EVALUATE = 'signals.evaluate'
export const SPAN_LMCACHE_TOKENIZE = 'lmcache.tokenize'
export const SPAN_LMCACHE_LOOKUP = 'lmcache.lookup'
/** A call to state that processes or isolates share, which the request waits for. */
export const SPAN_STORE_CALL = 'store.call'
export const SPAN_WORKER_FORWARD = 'worker.forward'
/** One try at one worker, below `worker.forward`. */
export const SPAN_WORKER_ATTEMPT = 'worker.attempt'

/** All but the server's own span, which is named after method and route as the HTTP conventions say. */
export const ALL_SPAN_NAMES: readonly string[] = [
  SPAN_HOOKS_PIPELINE,
  SPAN_HOOK_EXECUTE,
  SPAN_EXACT_LOOKUP,
  SPAN_SEMANTIC_LOOKUP,
  SPAN_EMBEDDING_FETCH,
  SPAN_ROUTING_CLUSTER,
  SPAN_ROUTING_DECIDE,
  SPAN_SIGNALS_EVALUATE,
  SPAN_LMCACHE_TOKENIZE,
  SPAN_LMCACHE_LOOKUP,
  SPAN_STORE_CALL,
  SPAN_WORKER_FORWARD,
  SPAN_WORKER_ATTEMPT,
]
