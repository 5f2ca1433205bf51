// GET /metrics: an engine's statistics as Prometheus text, under vLLM's names and labels.

import { BLOCK_TOKENS } from './block-chain.ts'
import type { Engine } from './engine.ts'
import type { Histogram } from './histogram.ts'
import type { WorkerSettings } from './options.ts'

interface Family {
  readonly name: string
  readonly type: 'gauge' | 'counter' | 'histogram'
  readonly help: string
  samples(engine: Engine, labels: string): string[]
}

/** The whole exposition, one series per data-parallel rank. */
export function toPrometheusText(engines: readonly Engine[], settings: WorkerSettings): string {
  const model = escapeLabel(settings.models[0] ?? '')
  const lines: string[] = []
  for (const family of [...FAMILIES, cacheUsage(settings), cacheConfig(settings)]) {
    lines.push(`# HELP ${family.name} ${family.help}`, `# TYPE ${family.name} ${family.type}`)
    engines.forEach((engine, rank) => {
      lines.push(...family.samples(engine, `engine="${rank}",model_name="${model}"`))
    })
  }
  return `${lines.join('\n')}\n`
}

function gauge(name: string, help: string, read: (engine: Engine) => number): Family {
  return { name, type: 'gauge', help, samples: (engine, labels) => [`${name}{${labels}} ${number(read(engine))}`] }
}

function counter(base: string, help: string, read: (engine: Engine) => number): Family {
  const name = `${base}_total`
  return { name, type: 'counter', help, samples: (engine, labels) => [`${name}{${labels}} ${number(read(engine))}`] }
}

function histogram(name: string, help: string, read: (engine: Engine) => Histogram): Family {
  return {
    name,
    type: 'histogram',
    help,
    samples: (engine, labels) => {
      const { bounds, counts, sum, count } = read(engine)
      let below = 0
      const buckets = counts.map((inBucket, index) => {
        below += inBucket
        const bound = bounds[index]
        return `${name}_bucket{${labels},le="${bound === undefined ? '+Inf' : number(bound)}"} ${number(below)}`
      })
      return [...buckets, `${name}_count{${labels}} ${number(count)}`, `${name}_sum{${labels}} ${number(sum)}`]
    },
  }
}

const FAMILIES: readonly Family[] = [
  gauge('vllm:num_requests_running', 'Number of requests in model execution batches.', ({ stats }) => stats.running),
  gauge('vllm:num_requests_waiting', 'Number of requests waiting to be processed.', ({ stats }) => stats.waiting),
  counter('vllm:prefix_cache_queries', 'Prefix cache queries, in tokens.', ({ stats }) => stats.prefixCacheQueries),
  counter('vllm:prefix_cache_hits', 'Prefix cache hits, in tokens.', ({ stats }) => stats.prefixCacheHits),
  counter('vllm:num_preemptions', 'Cumulative number of preemptions from the engine.', () => 0),
  counter('vllm:prompt_tokens', 'Number of prefill tokens processed.', ({ stats }) => stats.promptTokens),
  counter('vllm:generation_tokens', 'Number of generation tokens processed.', ({ stats }) => stats.generationTokens),
  {
    name: 'vllm:request_success_total',
    type: 'counter',
    help: 'Count of successfully processed requests.',
    samples: ({ stats }, labels) =>
      Object.entries(stats.finished).map(
        ([reason, count]) => `vllm:request_success_total{${labels},finished_reason="${reason}"} ${number(count)}`,
      ),
  },
  histogram('vllm:time_to_first_token_seconds', 'Time to first token in seconds.', (engine) => {
    return engine.stats.firstTokenSeconds
  }),
  histogram('vllm:inter_token_latency_seconds', 'Inter-token latency in seconds.', (engine) => {
    return engine.stats.interTokenSeconds
  }),
  histogram('vllm:e2e_request_latency_seconds', 'End-to-end request latency in seconds.', (engine) => {
    return engine.stats.requestSeconds
  }),
  histogram('vllm:request_queue_time_seconds', 'Time spent in the WAITING phase.', ({ stats }) => stats.queueSeconds),
]

function cacheUsage({ oldMetricNames }: WorkerSettings): Family {
  const name = oldMetricNames ? 'vllm:gpu_cache_usage_perc' : 'vllm:kv_cache_usage_perc'
  return gauge(name, 'KV-cache usage. 1 means 100 percent usage.', ({ cache }) => cache.usage)
}

function cacheConfig(settings: WorkerSettings): Family {
  const name = 'vllm:cache_config_info'
  const blocks = `block_size="${BLOCK_TOKENS}",num_gpu_blocks="${settings.kvBlocks}",enable_prefix_caching="True"`
  const help = 'Information of the LLMEngine CacheConfig'
  return { name, type: 'gauge', help, samples: (_, labels) => [`${name}{${blocks},${labels}} 1.0`] }
}

// Python's client writes whole numbers with a fraction.
function number(value: number): string {
  return Number.isInteger(value) ? value.toFixed(1) : String(value)
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
