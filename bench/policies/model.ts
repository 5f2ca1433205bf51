// The machines that are simulated, and how much of everything is run. What a figure means depends on these: the page
// prints them.

import type { ControllerModel } from './controller.ts'
import type { EngineModel } from './fleet.ts'

/** Tokens of one of vLLM's blocks. */
const VLLM_BLOCK_TOKENS = 16

/** An engine's blocks in these runs: one of LMCache's chunks. `simulate.test.ts` holds it against blocks of 16 tokens. */
export const FAST_BLOCK_TOKENS = 256

/** Blocks of 16 tokens that an engine keeps: 50 GB of an H100 beside an 8B model, and 84 GB of host memory by LMCache. */
export const CACHE_BLOCKS = 65_536

/** The same without LMCache: what an H100 has beside the weights. */
export const SMALL_CACHE_BLOCKS = 24_576

/** An 8B model on one H100 in FP16. A full step of 512 tokens takes 25.4 ms: 20,000 tokens a second. */
export function engineModel(cacheBlocks: number, blockTokens: number = FAST_BLOCK_TOKENS): EngineModel {
  return {
    maxNumSeqs: 256,
    prefillOverheadMs: 25,
    prefillMsPerToken: 0.03,
    itlMs: 10,
    itlJitter: 0,
    loadFactor: 1.5,
    stepTokens: 512,
    kvBlocks: (cacheBlocks * VLLM_BLOCK_TOKENS) / blockTokens,
    blockTokens,
  }
}

/** Half a second until everybody can see what an engine has computed. */
export const CONTROLLER_MODEL: ControllerModel = { reportMs: 100, lagMs: 400 }

/** Under way at any time and worker while capacity is measured: enough that no engine ever waits for work. */
export const IN_FLIGHT_AT_CAPACITY = 32

/** Seed of the arrivals within the traces' steps of three seconds. */
export const SEED = 1
