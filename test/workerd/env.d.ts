// What the tests in workerd have bound; vitest.config.ts binds it.

declare namespace Cloudflare {
  interface Env {
    readonly CONFIG: KVNamespace
    readonly RESPONSE_CACHE: KVNamespace
    readonly FLEET: DurableObjectNamespace
    readonly BOUND_FLEET: DurableObjectNamespace
    readonly TENANTS: DurableObjectNamespace
    readonly DECISION_LOG: DurableObjectNamespace
    readonly UNBOUND_DECISION_LOG: DurableObjectNamespace
    readonly REPLAY_LOG: DurableObjectNamespace
    readonly DECISIONS: R2Bucket
    readonly GPU_NETWORK: Fetcher
  }
}
