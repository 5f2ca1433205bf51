// The page that sets real time over HTTP beside virtual time. It is of one machine on one day.

import type { Machine } from '../machine.ts'
import { HTTP_LOAD, HTTP_WORKERS, type HttpResults, SLICE } from './over-http.ts'
import { percent, seconds, toMarkdownTable } from './tables.ts'

export const HTTP_COLUMNS = [
  'policy',
  'hits',
  'in virtual time',
  'TTFT p50',
  'in virtual time',
  'p90',
  'in virtual time',
  'failed',
] as const

export function httpLines({ results }: HttpResults): readonly (readonly string[])[] {
  return results.map(({ contender, virtual, real }) => [
    contender,
    percent(real.hitShare),
    percent(virtual.hitShare),
    seconds(real.firstTokenP50Ms),
    seconds(virtual.firstTokenP50Ms),
    seconds(real.firstTokenP90Ms),
    seconds(virtual.firstTokenP90Ms),
    String(real.failed),
  ])
}

export function toHttpPage(results: HttpResults, machine: Machine): string {
  return [
    '# Cache-aware policies over HTTP',
    '',
    'Written by `npm run bench:policies -- --only http --write docs/bench`. A slice of a trace in real time through a router process on',
    'Node with simulated workers and a simulated LMCache controller, and the same slice in virtual time: the second must say what',
    'the first does, or [policies.md](policies.md) means nothing. Times over HTTP hold what this machine adds.',
    '',
    `- ${machine.date}, commit ${machine.commit}`,
    `- ${machine.cores} cores of ${machine.cpu}, ${machine.memoryGb} GiB, ${machine.system}; node ${machine.versions['node']}; router, workers and clients share these cores`,
    `- ${results.requests} requests of ${SLICE.trace}: its longest conversations, prompts up to ${SLICE.maxPromptTokens} tokens, answers of ${SLICE.outputTokens}; ${HTTP_WORKERS} workers with engines as there`,
    `- ${results.perSecond.toFixed(2)} requests a second, ${HTTP_LOAD * 100} % of what the fleet can do under least_load; ceiling ${percent(results.ceiling)}`,
    '',
    toMarkdownTable(HTTP_COLUMNS, httpLines(results)),
    '',
  ].join('\n')
}
