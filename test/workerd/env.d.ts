// What the tests in workerd have bound; vitest.config.ts binds it.

declare namespace Cloudflare {
  interface Env {
    readonly FLEET: DurableObjectNamespace
    readonly BOUND_FLEET: DurableObjectNamespace
    readonly GPU_NETWORK: Fetcher
  }
}
