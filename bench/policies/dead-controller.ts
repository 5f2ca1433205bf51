// What a dead LMCache controller costs requests once its breaker is open: `node bench/policies/dead-controller.ts`. Three
// routers before the same workers get one request each in turn: one without a controller, another like it, which shows the
// noise, and one whose controller is gone.

import { startSimulatedWorker } from '../../src/runtime/node-simulator.ts'
import { medianOf, spreadOf } from '../statistics.ts'
import { startTarget, type Target } from '../targets.ts'
import { percentileOf } from './outcome.ts'

const ROUNDS = 5
const REQUESTS_A_ROUND = 300
/** Answers to open the breaker with: five failures do. */
const WARM_UP = 50
/** Long enough to be looked up. */
const PROMPT = 'What is known of where this prompt is cached? '.repeat(60)
const PERCENTILES = { p50: 0.5, p90: 0.9, p99: 0.99 } as const

const PLAIN = 'policy: power_of_two'
const DEAD = 'policy: { type: lmcache_aware, lookup_mode: prefix_lookup, controller_url: "http://127.0.0.1:9" }'

async function timeOne({ port }: Target, body: string): Promise<number> {
  const beganMs = performance.now()
  const answer = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`a request failed: ${answer.status} ${text}`)
  return performance.now() - beganMs
}

let asked = 0

function nextBody(): string {
  asked += 1
  return JSON.stringify({ messages: [{ role: 'user', content: `${asked} ${PROMPT}` }], max_tokens: 8 })
}

async function measure(routers: readonly Target[]): Promise<readonly number[][]> {
  const times: number[][] = routers.map(() => [])
  for (let request = 0; request < REQUESTS_A_ROUND; request += 1) {
    // Whoever is first finds the machine as the one before left it: each is first as often as the others.
    for (let turn = 0; turn < routers.length; turn += 1) {
      const at = (request + turn) % routers.length
      const router = routers[at]
      if (router !== undefined) times[at]?.push(await timeOne(router, nextBody()))
    }
  }
  return times.map((each) => each.toSorted((one, other) => one - other))
}

const timing = { prefillOverheadMs: 20, prefillMsPerToken: 0, itlMs: 1, itlJitter: 0 }
const workers = await Promise.all(
  [1, 2].map((seed) => startSimulatedWorker({ port: 0, models: ['m'], seed, ...timing })),
)
const upstreamPorts = workers.map(({ url }) => Number(new URL(url).port))
const routers: Target[] = []
try {
  for (const policy of [PLAIN, PLAIN, DEAD]) {
    const extraConfig = `${policy}\nlog_level: error`
    routers.push(await startTarget('router', { runtime: 'node', upstreamPorts, extraConfig, profileDirectory: null }))
  }
  for (let at = 0; at < WARM_UP; at += 1) for (const router of routers) await timeOne(router, nextBody())
  const ratios = Object.keys(PERCENTILES).map((name) => ({ name, control: [] as number[], dead: [] as number[] }))
  for (let round = 0; round < ROUNDS; round += 1) {
    const [plain = [], control = [], dead = []] = await measure(routers)
    for (const { name, ...rest } of ratios) {
      const part = PERCENTILES[name as keyof typeof PERCENTILES]
      rest.control.push(percentileOf(control, part) / percentileOf(plain, part))
      rest.dead.push(percentileOf(dead, part) / percentileOf(plain, part))
    }
  }
  const shown = (values: readonly number[]) => {
    const { min, max } = spreadOf(values)
    return `${medianOf(values).toFixed(3)} (${min.toFixed(3)} to ${max.toFixed(3)})`
  }
  process.stdout.write('latency against a router without a controller; median of rounds (least to most)\n')
  for (const { name, control, dead } of ratios) {
    process.stdout.write(`${name}  another like it ${shown(control)}   controller dead ${shown(dead)}\n`)
  }
} finally {
  await Promise.all([...routers.map((router) => router.stop()), ...workers.map((worker) => worker.close())])
}
