// `node bench/pipeline.ts`: CPU of the whole pipeline on Node for one chat, the upstream stubbed: routes, body, decision,
// attempt, answer, record and log line, but no sockets. For a profile: `node --cpu-prof --cpu-prof-dir=DIR
// bench/pipeline.ts --only light-2kb`, then `node bench/hot-functions.ts DIR`.

import { parseArgs } from 'node:util'
import { getRequestListener } from '@hono/node-server'
import { loadConfig } from '../src/config/load.ts'
import type { Platform, RequestContext } from '../src/platform.ts'
import { assembleRouter, type Router } from '../src/router.ts'
import { policyRegistry } from '../src/routing/policies/index.ts'
import { createMemoryFleetStore } from '../src/store/memory.ts'
import { createMemoryLimitStore } from '../src/store/memory-limits.ts'
import { measureMicroseconds } from './in-process.ts'
import { type LoadName, loadNamed } from './loads.ts'
import { CHAT_ANSWER, MODEL } from './upstream/answers.ts'
import { observationOf } from '../test/support/observation.ts'

const WORKERS = ['http://10.0.0.1:8000', 'http://10.0.0.2:8000', 'http://10.0.0.3:8000', 'http://10.0.0.4:8000']
const CONFIG = `mode: { type: regular, worker_urls: ${JSON.stringify(WORKERS)} }\npolicy: { type: round_robin }\n`

/** Design, section 5: microseconds per request by size of body. */
const SIZES: readonly { readonly load: LoadName; readonly limitUs: number }[] = [
  { load: 'chat-2kb', limitUs: 60 },
  { load: 'chat-64kb', limitUs: 400 },
  { load: 'chat-1mb', limitUs: 6_000 },
]

const REQUEST_HEADERS = {
  'user-agent': 'OpenAI/Python 1.99.0',
  accept: 'application/json',
  authorization: 'Bearer sk-no-key-needed',
  'content-type': 'application/json',
}
const ANSWER_HEADERS = { 'content-type': 'application/json', 'content-length': String(CHAT_ANSWER.length) }

/** How requests and the worker's answers come into being: what a runtime costs, or next to nothing. */
interface Objects {
  request(body: Buffer): Request
  answer(): Response
  /** What becomes of the router's answer. */
  read(answer: Response): Promise<unknown> | undefined
}

/** The standard classes as Node has them. Building and reading them is a good part of what is measured. */
const standard: Objects = {
  request(body) {
    const headers = { ...REQUEST_HEADERS, 'content-length': String(body.length) }
    return new Request('http://127.0.0.1:3001/v1/chat/completions', {
      method: 'POST',
      headers,
      body: new Uint8Array(body),
    })
  },
  answer: () => new Response(new Uint8Array(CHAT_ANSWER), { status: 200, headers: ANSWER_HEADERS }),
  read: (answer) => answer.arrayBuffer(),
}

/** The few members the router reads, so that what is left is the router's own. */
const light: Objects = {
  request(body) {
    const headers = new Headers({ ...REQUEST_HEADERS, 'content-length': String(body.length) })
    const { signal } = new AbortController()
    const url = 'http://127.0.0.1:3001/v1/chat/completions'
    const request = {
      method: 'POST',
      url,
      headers,
      signal,
      body: {},
      arrayBuffer: async () => Uint8Array.from(body).buffer,
    }
    return request as unknown as Request // stands in for the class in a benchmark only
  },
  answer() {
    const headers = new Headers(ANSWER_HEADERS)
    const answer = {
      status: 200,
      ok: true,
      headers,
      body: {},
      arrayBuffer: async () => Uint8Array.from(CHAT_ANSWER).buffer,
    }
    return answer as unknown as Response // as above
  },
  // The server library takes the bytes out of its own light `Response`; reading it here would build the standard one.
  read: () => undefined,
}

async function createRouter(objects: Objects): Promise<{ router: Router; close(): void }> {
  const loaded = await loadConfig(CONFIG, { env: () => undefined, policies: policyRegistry(), showsConnectPhase: true })
  if (!loaded.ok) throw new Error('the configuration of the benchmark is not valid')
  const { config } = loaded
  const now = () => Date.now()
  const after = (delayMs: number, task: () => void) => {
    const timer = setTimeout(task, delayMs)
    return () => clearTimeout(timer)
  }
  const probe = async () => config.workers.map(({ id }) => observationOf(id, { models: [MODEL], atMs: now() }))
  const fleet = createMemoryFleetStore({ config, now, after, probe, nextProbeMs: () => 60_000 })
  let written = 0
  const platform: Platform = {
    now,
    after,
    fleet,
    limits: createMemoryLimitStore(now),
    send: async () => objects.answer(),
    binding: () => null,
    random: () => Math.random(),
    randomId: () => crypto.randomUUID().replaceAll('-', ''),
    writeLine: (line) => void (written += line.length),
    showsConnectPhase: true,
    adminOpenTo: 'nobody',
    wakesAcrossRequests: true,
    classifySendError: () => ({ phase: 'maybe_sent', reason: 'network' }),
    defaultMaxPayloadBytes: 2 ** 29,
  }
  return { router: assembleRouter(config, platform), close: () => fleet.close() }
}

const context: RequestContext = { waitUntil: (task) => void task, rawTarget: null }

async function measure(
  objects: Objects,
  load: LoadName,
): Promise<{ readonly whole: number; readonly objects: number }> {
  const { body } = loadNamed(load)
  const { router, close } = await createRouter(objects)
  const whole = await measureMicroseconds(async () => {
    const answer = await router.fetch(objects.request(body), context)
    if (answer.status !== 200) throw new Error(`answered ${answer.status}: ${await answer.text()}`)
    await objects.read(answer)
  })
  close()
  const alone = await measureMicroseconds(async () => {
    await objects.request(body).arrayBuffer()
    const bytes = await objects.answer().arrayBuffer()
    await objects.read(new Response(bytes, { status: 200, headers: ANSWER_HEADERS }))
  })
  return { whole: whole.min, objects: alone.min }
}

function row(
  name: string,
  figures: { readonly whole: number; readonly objects: number },
  limitUs: number | null,
): string {
  const own = figures.whole - figures.objects
  const cells = [figures.whole, figures.objects, own].map((cost) => cost.toFixed(1).padStart(10)).join('')
  const verdict = limitUs === null ? '' : `   ${own <= limitUs ? 'met' : 'NOT MET'} (${limitUs})`
  return `${name.padEnd(22)}${cells}${verdict}\n`
}

const { values } = parseArgs({ options: { only: { type: 'string' } } })
process.stdout.write(
  'CPU microseconds per request, least of the rounds; the goal is for the pipeline without the objects\n\n',
)
process.stdout.write(
  `${''.padEnd(22)}${'whole'.padStart(10)}${'objects'.padStart(10)}${'pipeline'.padStart(10)}   goal\n`,
)
for (const { load } of SIZES) {
  const name = `standard-${load.slice('chat-'.length)}`
  if ((values.only ?? name) === name) process.stdout.write(row(name, await measure(standard, load), null))
}
// From here on `Response` is the light one of the server library, as it is in a router on Node.
getRequestListener(() => new Response(), { overrideGlobalObjects: true })
for (const { load, limitUs } of SIZES) {
  const name = `light-${load.slice('chat-'.length)}`
  if ((values.only ?? name) === name) process.stdout.write(row(name, await measure(light, load), limitUs))
}
