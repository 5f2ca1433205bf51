// The package's public face: what a Worker entry, a plugin or an embedding program needs.

export type { Config, Timeouts, WorkerConfig } from './config/config.ts'
export type { Finding } from './config/finding.ts'
export { loadConfig, type LoadOptions, type LoadResult } from './config/load.ts'
export { createRouter, type CreateRouterOptions } from './create-router.ts'
export { ERROR_CODES, type ErrorCodeName } from './errors/codes.ts'
export { RouterError } from './errors/router-error.ts'
export { HOOK_OUTCOMES, type HookOutcome } from './pipeline/hook-outcomes.ts'
export { type DecisionRecord, RECORD_SCHEMA_VERSION } from './pipeline/record.ts'
export * as headers from './pipeline/routing-headers.ts'
export { ALL_EXPLAINABILITY_HEADERS } from './pipeline/routing-headers.ts'
export type { Platform, RequestContext, SendFailure } from './platform.ts'
export type { Router } from './router.ts'
export { decide, type Decision, type DecisionInput, type FleetView, VETO } from './routing/decide.ts'
export { BUILT_IN_POLICIES, policyRegistry } from './routing/policies/index.ts'
export {
  type Affinity,
  type CandidateView,
  definePolicy,
  type Policy,
  type PolicyDefinition,
  type PolicyInput,
  type PolicyNeeds,
  type PolicyRegistry,
  type Verdict,
} from './routing/policy.ts'
export type { FleetStore } from './store/fleet-store.ts'
export { createMemoryFleetStore } from './store/memory.ts'
export { ROUTER_VERSION } from './version.ts'
