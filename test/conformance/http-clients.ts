// The official client libraries against a router with keys on both sides and three workers of one model: what an
// application sees must be what it would see from a single vLLM server, errors included.

import { beforeEach, describe } from 'vitest'
import type { RuntimeName } from '../support/launch.ts'
import { clientBench } from './client-bench.ts'
import { anthropicClient } from './http-anthropic-client.ts'
import { openAiClient } from './http-openai-client.ts'

export function clientsConformance(runtime: RuntimeName): void {
  describe(`client libraries on ${runtime}`, () => {
    const bench = clientBench(runtime)
    beforeEach(() => Promise.all([...bench.workers(), bench.fleet.worker('slow')].map((worker) => worker.reset())))
    openAiClient(bench)
    anthropicClient(bench)
  })
}
