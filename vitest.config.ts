import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['src/**/*.test.ts'] } },
      {
        // Real processes on real ports: few at a time, so that timings mean something on two cores.
        test: {
          name: 'http',
          include: ['test/runtimes/**/*.test.ts', 'test/http/**/*.test.ts', 'test/scripts/**/*.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 90_000,
          maxWorkers: 2,
        },
      },
    ],
  },
})
