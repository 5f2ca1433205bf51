// The page about what policies make of traces in virtual time. Nothing on it depends on the machine or the day.

import { type Goal, goalsOf } from './goals.ts'
import { LOOKUP_COSTS } from './knowledge.ts'
import { fleetKey, GOAL_LOAD, GOAL_WORKERS, MANY_ROUTERS } from './matrix.ts'
import { CACHE_BLOCKS, CONTROLLER_MODEL, engineModel, IN_FLIGHT_AT_CAPACITY, SMALL_CACHE_BLOCKS } from './model.ts'
import { GOOD_BETWEEN_TOKENS_MS, GOOD_FIRST_TOKEN_MS } from './outcome.ts'
import { type DoneRun, findRuns, type Results } from './results.ts'
import { SCRAPE_EVERY_MS } from './router.ts'
import { costOfToken } from './simulate.ts'
import { COLUMNS, linesOf, percent, toMarkdownTable } from './tables.ts'

/** A plot beside the page. */
export interface Plot {
  readonly file: string
  readonly title: string
  readonly svg: string
}

export function toPage(results: Results, plots: readonly Plot[]): string {
  return [
    '# Does it pay to know where a prompt is cached?',
    '',
    'Written by `npm run bench:policies -- --write docs/bench`; the same command gives the same page. The code that decides is',
    'the router’s own: `decide`, the policies, their index, and how answers of LMCache are read. Engines, the controller and',
    'time are simulated. [policies-http.md](policies-http.md) has a slice of it over HTTP in real time.',
    '',
    ...goalSection(results),
    ...plots.flatMap(({ file, title }) => [`![${title}](${file})`, '']),
    ...READING,
    ...circumstances(results),
    ...mainSection(results),
    ...extraSection(`${MANY_ROUTERS} routers`, routerWords, results.routers, results),
    ...extraSection('Small caches', smallCacheWords, results.smallCaches, results),
  ].join('\n')
}

/** What the figures have shown each time; it is about how the policies work, not about one run. */
const READING: readonly string[] = [
  '## How to read it',
  '',
  '- `cache_aware` may find more than the oracle: both choose what is best for one request, and what is best for those after it nobody knows.',
  '- `most_cached` shows what fleets of this size could find if nobody minded waiting. What is left to the ceiling is evicted before it is asked for again.',
  '- The legacy controller names one holder for each chunk. Where all prompts begin with the same system prompt, the first worker is named for that, another for the rest,',
  '  and nothing says for certain that the other holds the beginning too. `prefix_lookup` counts it as held where the router has sent it there itself; `assume_chains` always',
  '  does, which is nearly the same for one router, as workers hold what it sent them; the coordinator names all holders. What lookups then lack of `cache_aware` is what is too short to be looked up, or was computed less than half a second ago.',
  '- How full a cache is says nothing of a prompt: `lookup_mode: occupancy` finds what chance finds. It is there for configurations of the Rust router, and bounded by load:',
  '  its formula alone piles requests up where most went before.',
  '',
]

function goalSection(results: Results): readonly string[] {
  const goals = goalsOf(results)
  const verdictOf = ({ isMet, missed }: Goal) => (isMet === null ? '' : isMet ? 'met' : `**missed** ${missed}`)
  const lines = goals.map((goal) => [goal.trace, goal.name, goal.found, verdictOf(goal)])
  return [
    '## Goals',
    '',
    `${summaryOf(goals)} With ${GOAL_WORKERS} workers and, where no load is named, at ${GOAL_LOAD * 100} % of capacity.`,
    '',
    toMarkdownTable(['trace', 'goal', 'found', ''], lines),
    '',
  ]
}

function summaryOf(goals: readonly Goal[]): string {
  const judged = goals.filter(({ isMet }) => isMet !== null)
  const missed = judged.filter(({ isMet }) => isMet === false)
  if (judged.length === 0) return 'None of them was put to the test.'
  return missed.length === 0 ? `All ${judged.length} are met.` : `${missed.length} of ${judged.length} are missed.`
}

function circumstances({ traces, capacities, main }: Results): readonly string[] {
  const engine = engineModel(CACHE_BLOCKS)
  const cacheTokens = (CACHE_BLOCKS * 16).toLocaleString('en')
  const { tokenizeMs, tokenizeMsPerToken, lookupMs, lookupMsPerChunk } = LOOKUP_COSTS
  const lagMs = CONTROLLER_MODEL.reportMs + CONTROLLER_MODEL.lagMs
  const fleets = [...new Map(main.map(({ plan }) => [fleetKey(plan), plan])).values()]
  return [
    '## What is simulated',
    '',
    `- **Engines**: an 8B model on one H100 each. A step takes ${engine.itlMs} ms, more the more sequences run (up to ${engine.loadFactor} times at`,
    `  ${engine.maxNumSeqs}), and ${engine.prefillMsPerToken} ms for each token of prefill; it has room for ${engine.stepTokens} tokens, one for each sequence that decodes, the rest for`,
    `  prefills, first come first served. So a busy engine prefills a token in ${costOfToken(engine).toFixed(4)} ms. ${engine.prefillOverheadMs} ms pass before each request’s first step.`,
    `- **Caches**: ${cacheTokens} tokens each, least recently used first out: 50 GB of the GPU and 84 GB of host memory by LMCache, taken as one. Blocks are of`,
    `  ${engine.blockTokens} tokens, which are faster to simulate than vLLM’s 16 and lose up to one of them of each hit. A test holds both against each other on a`,
    '  small trace of short prompts, where that shows most: hits differ by less than 6 points, medians of the first token by less than a third.',
    '- **Requests**: as in the trace, in its order, faster or slower so that they come at the rate asked for; equal stamps are spread over their three seconds by a',
    '  seeded draw. Nobody waits for answers before asking again, and nobody gives up.',
    `- **Capacity**: requests a second that a fleet takes up under \`least_load\` while ${IN_FLIGHT_AT_CAPACITY} a worker are under way at any time, over the whole trace. It is that of`,
    '  the baseline: whoever finds more in caches has less to do at the same load.',
    `- **Routers** see their own requests exactly, those of other routers as they were up to a second ago, and workers’ metrics up to ${SCRAPE_EVERY_MS / 1_000} s old. Between them and workers`,
    '  no time passes. No worker ever refuses, and none of these routers limits anything.',
    `- **LMCache’s controller** knows of a chunk ${lagMs} ms after it was computed, and names one holder of each, the first in order of registration. Tokenising takes`,
    `  ${tokenizeMs} ms and ${tokenizeMsPerToken} ms a token, a lookup ${lookupMs} ms and ${lookupMsPerChunk} ms a chunk; the first token is later by that.`,
    '- **consistent_hash** gets a session id that clients of the trace may have sent: the first 1,024 tokens of the prompt. Without one the router would take the first',
    '  2,048 characters, which are the same for all.',
    '- **oracle** is `cache_aware` with exact facts: what is in every cache, or on its way, and what waits in every queue. **most_cached** goes to the longest cached prefix',
    '  beyond 1,024 tokens whatever waits there. No router can know what these two know.',
    '',
    `Hits are the share of prompt tokens found in caches; the ceiling is what one cache without bounds finds in the same trace. Goodput is the share of requests with their`,
    `first token within ${GOOD_FIRST_TOKEN_MS / 1_000} s and ${GOOD_BETWEEN_TOKENS_MS} ms between tokens on average. Imbalance is what the busiest worker had to prefill over the mean. Lookups are for each request.`,
    '',
    toMarkdownTable(
      ['trace', 'requests', 'mean prompt', 'mean answer', 'ceiling', 'by blocks'],
      traces.map((trace) => [
        trace.name,
        String(trace.requests),
        trace.meanPromptTokens.toFixed(0),
        trace.meanOutputTokens.toFixed(0),
        percent(trace.ceiling),
        percent(trace.blockCeiling),
      ]),
    ),
    '',
    toMarkdownTable(
      ['trace', 'workers', 'capacity'],
      fleets.map((plan) => [plan.trace, String(plan.workers), perSecond(capacities.get(fleetKey(plan)))]),
    ),
    '',
  ]
}

function mainSection({ extent, main }: Results): readonly string[] {
  return extent.traces.flatMap((trace) => [
    `## ${trace}`,
    '',
    ...extent.fleets.flatMap((workers) =>
      extent.loads.flatMap((load) => [
        `### ${trace}: ${workers} workers, ${(load * 100).toFixed(0)} % of capacity`,
        '',
        toMarkdownTable(COLUMNS, linesOf(findRuns(main, { trace, workers, load }))),
        '',
      ]),
    ),
  ])
}

const routerWords = [
  `Requests go to ${MANY_ROUTERS} routers in turn, as to isolates of one deployment. Each has an index of its own, so it knows of a quarter of the prompts, and hears of others’`,
  'requests late. Compare with one router above: the difference is what isolates cost without the shared prefix table.',
]

const smallCacheWords = [
  `Engines without LMCache: ${(SMALL_CACHE_BLOCKS * 16).toLocaleString('en')} tokens each on the GPU alone, one router. Less is found by anybody; the order stays.`,
]

function extraSection(
  title: string,
  words: readonly string[],
  runs: readonly DoneRun[],
  { extent }: Results,
): readonly string[] {
  if (runs.length === 0) return []
  return [
    `## ${title}`,
    '',
    ...words,
    '',
    ...extent.traces.flatMap((trace) => [
      `### ${title}: ${trace}, ${GOAL_WORKERS} workers, ${GOAL_LOAD * 100} %`,
      '',
      toMarkdownTable(COLUMNS, linesOf(findRuns(runs, { trace }))),
      '',
    ]),
  ]
}

function perSecond(rate: number | undefined): string {
  return rate === undefined ? '' : `${rate.toFixed(2)} requests/s`
}
