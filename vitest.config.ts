import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/support/longest-first.ts'
import { COMPATIBILITY_DATE, COMPATIBILITY_FLAGS } from './src/runtime/workerd-process.ts'

/** The Worker and its objects as they are deployed, with a second Worker that stands for a private network. */
const workerd = cloudflareTest({
  main: './test/workerd/worker.ts',
  miniflare: {
    compatibilityDate: COMPATIBILITY_DATE,
    compatibilityFlags: [...COMPATIBILITY_FLAGS],
    durableObjects: {
      FLEET: { className: 'Fleet', useSQLite: true },
      BOUND_FLEET: { className: 'BoundFleet', useSQLite: true },
      TENANTS: { className: 'TenantLimits', useSQLite: true },
      DECISION_LOG: { className: 'DecisionLog', useSQLite: true },
      REPLAY_LOG: { className: 'ReplayLog', useSQLite: true },
      UNBOUND_DECISION_LOG: { className: 'UnboundDecisionLog', useSQLite: true },
    },
    r2Buckets: ['DECISIONS'],
    kvNamespaces: ['CONFIG', 'RESPONSE_CACHE'],
    serviceBindings: { GPU_NETWORK: 'gpu-network' },
    workers: [
      {
        name: 'gpu-network',
        compatibilityDate: COMPATIBILITY_DATE,
        modules: true,
        scriptPath: './test/workerd/gpu-network.js',
      },
    ],
  },
})

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      // A property or a real socket may take its time while the other projects use both cores.
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'bench/**/*.test.ts'],
          setupFiles: ['test/support/secret-equality.ts'],
          testTimeout: 20_000,
        },
      },
      { plugins: [workerd], test: { name: 'workerd', include: ['test/workerd/**/*.test.ts'], testTimeout: 20_000 } },
      {
        // Real processes on real ports: few at a time, so that timings mean something on two cores.
        test: {
          name: 'http',
          include: ['test/runtimes/**/*.test.ts', 'test/http/**/*.test.ts', 'test/scripts/**/*.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 90_000,
          // Most of them wait most of the time, so that three share two cores; after all that needs the cores for itself.
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
          // Router, workers and clients of three files run at once: one second try tells a stall from a defect.
          retry: 1,
        },
      },
    ],
  },
})
