// The flags of `sim-worker`: one table for the parser and for the help, so that no flag goes without a word.

import { DEFAULT_WORKER_OPTIONS } from '../simulator/options.ts'
import type { SimulatedWorkerOptions } from '../simulator/options.ts'
import { FAULT_HELP } from './sim-fault-help.ts'
import { describeFlags, type SimFlag } from './sim-flags.ts'

export const SIM_WORKER_FLAGS: readonly SimFlag<keyof SimulatedWorkerOptions>[] = [
  { name: 'port', option: 'port', kind: 'count', help: 'port to listen on; 0 for any' },
  { name: 'host', option: 'host', kind: 'text', help: 'address to listen on' },
  { name: 'control-port', option: 'controlPort', kind: 'count', help: 'second port, for /sim/* even while refusing' },
  { name: 'model', option: 'models', kind: 'texts', help: 'model id to serve; repeat for several (required)' },
  { name: 'lora', option: 'loras', kind: 'texts', help: 'LoRA adapter on top of the first model; repeatable' },
  { name: 'seed', option: 'seed', kind: 'count', help: 'seed of answers, jitter and fault dice' },
  { name: 'max-num-seqs', option: 'maxNumSeqs', kind: 'count', least: 1, help: 'requests that run at once' },
  { name: 'prefill-overhead-ms', option: 'prefillOverheadMs', kind: 'number', help: 'fixed part of a prefill' },
  { name: 'ttft-ms', option: 'prefillOverheadMs', kind: 'number', help: 'the same as --prefill-overhead-ms' },
  { name: 'prefill-ms-per-token', option: 'prefillMsPerToken', kind: 'number', help: 'per prompt token not cached' },
  { name: 'itl-ms', option: 'itlMs', kind: 'number', help: 'time between tokens' },
  { name: 'itl-jitter', option: 'itlJitter', kind: 'number', help: 'its deviation as a share, clamped to 70 %' },
  { name: 'load-factor', option: 'loadFactor', kind: 'number', least: 1, help: 'how much slower when every slot runs' },
  { name: 'kv-blocks', option: 'kvBlocks', kind: 'count', least: 1, help: 'cache size in blocks of 16 tokens' },
  {
    name: 'step-tokens',
    option: 'stepTokens',
    kind: 'count',
    help: 'budget of a step of all requests; 0 for no steps',
  },
  { name: 'output-tokens', option: 'outputTokens', kind: 'count', least: 1, help: 'length of an answer' },
  { name: 'embedding-size', option: 'embeddingSize', kind: 'count', least: 1, help: 'length of an embedding' },
  { name: 'max-model-len', option: 'maxModelLen', kind: 'count', least: 1, help: 'context limit in tokens' },
  { name: 'api-key', option: 'apiKey', kind: 'text', help: 'key that /v1 and /v2 ask for' },
  { name: 'data-parallel-size', option: 'dataParallelSize', kind: 'count', least: 1, help: 'number of engine ranks' },
  { name: 'enable-request-id-headers', option: 'enableRequestIdHeaders', kind: 'boolean', help: 'echo X-Request-Id' },
  {
    name: 'enable-prompt-tokens-details',
    option: 'enablePromptTokensDetails',
    kind: 'boolean',
    help: 'cached tokens in usage; switch off with --no-enable-prompt-tokens-details',
  },
  { name: 'enable-server-load-tracking', option: 'enableServerLoadTracking', kind: 'boolean', help: 'count in /load' },
  {
    name: 'enable-force-include-usage',
    option: 'enableForceIncludeUsage',
    kind: 'boolean',
    help: 'usage on every stream',
  },
  { name: 'enable-dev-mode', option: 'enableDevMode', kind: 'boolean', help: 'serve /sleep, /wake_up, /is_sleeping' },
  { name: 'old-metric-names', option: 'oldMetricNames', kind: 'boolean', help: 'cache usage under its older name' },
  { name: 'allow-request-faults', option: 'allowRequestFaults', kind: 'boolean', help: 'obey the x-sim-fault header' },
  { name: 'fault', option: 'faults', kind: 'faults', help: 'fault rule as JSON; repeatable, see below' },
  { name: 'log-requests', option: 'logRequests', kind: 'count', help: 'requests that /sim/state shows' },
  { name: 'version', option: 'version', kind: 'text', help: 'answer of /version' },
  {
    name: 'lmcache-controller',
    option: 'lmcacheController',
    kind: 'text',
    help: 'URL of a sim-lmcache to report the cache to',
  },
  { name: 'lmcache-instance', option: 'lmcacheInstance', kind: 'text', help: 'name there; host:port unless given' },
  { name: 'lmcache-report-ms', option: 'lmcacheReportMs', kind: 'number', help: 'how long reports are gathered' },
]

/** The text of --help. */
export function toSimWorkerHelp(): string {
  return [
    'Usage: vllm-edge-router sim-worker --port P --model M [--model M2 ...] [options]',
    '',
    'A simulated vLLM worker: real routes and streams, made-up answers, and faults on demand.',
    '',
    ...describeFlags(SIM_WORKER_FLAGS, { ...DEFAULT_WORKER_OPTIONS }),
    '',
    FAULT_HELP,
  ].join('\n')
}
