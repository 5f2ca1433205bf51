// The package's public face: what a Worker entry, a plugin or an embedding program needs.

export type { Config, Timeouts, WorkerConfig } from './config/config.ts'
export type { Finding } from './config/finding.ts'
export { secretString } from './config/schema-walk.ts'
export { loadConfig, type LoadOptions, type LoadResult } from './config/load.ts'
export { createRouter, type CreateRouterOptions } from './create-router.ts'
export { ERROR_CODES, type ErrorCodeName } from './errors/codes.ts'
export { RouterError } from './errors/router-error.ts'
export { HOOK_OUTCOMES, type HookOutcome } from './pipeline/hook-outcomes.ts'
export * as headers from './pipeline/routing-headers.ts'
export { ALL_EXPLAINABILITY_HEADERS } from './pipeline/routing-headers.ts'
export type { Platform, RequestContext, SendFailure } from './platform.ts'
export { type ReadRecord, readRecord } from './record/read-record.ts'
export { LIFECYCLE_STATES, RECORD_SCHEMA_VERSION, REQUIRED_FIELDS } from './record/format.ts'
export { ALL_FIELDS, type DecisionRecord, decisionRecordSchema } from './record/schema.ts'
export { isDecisionRecord, type StoredRecord } from './record/stored-record.ts'
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
export type { LimitStore } from './store/limit-store.ts'
export { createMemoryFleetStore } from './store/memory.ts'
export { createMemoryLimitStore } from './store/memory-limits.ts'
export * from './tracing/span-names.ts'
export { ROUTER_VERSION } from './version.ts'
