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

/** Most of them wait most of the time: for a process that starts, a deadline that passes. Four keep two cores busy. */
const maxWorkers = 4

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    // One queue for all projects, so that no core waits for the last file of one: they have the same `maxWorkers`, and
    // LongestFirst says in which order.
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'bench/**/*.test.ts'],
          setupFiles: ['test/support/secret-equality.ts'],
          maxWorkers,
          // No module holds state that a file could leave to the next one, and loading them anew cost as much as the tests.
          isolate: false,
          // A property or a real socket may take its time while other projects use the cores.
          testTimeout: 60_000,
        },
      },
      {
        plugins: [workerd],
        test: { name: 'workerd', include: ['test/workerd/**/*.test.ts'], maxWorkers, testTimeout: 60_000 },
      },
      {
        // Real processes on real ports.
        test: {
          name: 'http',
          include: ['test/runtimes/**/*.test.ts', 'test/http/**/*.test.ts', 'test/scripts/**/*.test.ts'],
          globalSetup: ['test/support/compile-cache.ts'],
          maxWorkers,
          testTimeout: 30_000,
          hookTimeout: 90_000,
          // Router, workers and clients of several files run at once: one second try tells a stall from a defect.
          retry: 1,
        },
      },
    ],
  },
})
