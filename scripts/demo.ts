// `npm start`: the real Worker in workerd with a fleet of simulated vLLM workers, ready to be asked. Ctrl-C ends all.
// `npm start -- --hooks` puts the example hooks in front, `--config FILE` takes another configuration.

import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { parseArgs } from 'node:util'
import { openServeLog } from '../src/cli/serve-log.ts'
import { startSimulatedWorker } from '../src/runtime/node-simulator.ts'
import { startWorkerd } from '../src/runtime/workerd-process.ts'
import { demoVariables, type DemoWorker, FLEET, fleetFor } from './demo-fleet.ts'
import { startHookService } from './hook-server.ts'

const HOST = '127.0.0.1'
/** Opens the admin routes of the demo, which only this machine reaches. */
const ADMIN_KEY = 'demo-admin'
/** Id of the request that the welcome proposes, and then proposes to explain. */
const FIRST_REQUEST_ID = 'my-first-request'
const DEFAULT_PORT = 3001

interface Stoppable {
  stop(): Promise<void>
}

const running: Stoppable[] = []
let isStopping = false

async function stopAll(exitCode: number): Promise<never> {
  if (!isStopping) {
    isStopping = true
    for (const part of running.toReversed()) await part.stop().catch(() => {})
  }
  process.exit(exitCode)
}

async function startFleet(
  fleet: readonly DemoWorker[],
): Promise<readonly { readonly id: string; readonly url: string }[]> {
  return Promise.all(
    fleet.map(async ({ id, models, ...timing }, index) => {
      const worker = await startSimulatedWorker({ port: 0, models, seed: index + 1, ...timing })
      running.push({ stop: () => worker.close() })
      return { id, url: worker.url }
    }),
  )
}

/** The lines of the configuration that put the example hooks in front. */
async function startHooks(): Promise<readonly string[]> {
  const service = await startHookService({ port: 0 })
  running.push({ stop: () => service.close() })
  return [
    'pre_routing_hooks:',
    `  - { name: content-safety, url: ${service.url}/safety, timeout_ms: 1000, on_error: block, expose_reason: true }`,
    `  - { name: pii-mask, url: ${service.url}/mask, timeout_ms: 1000, on_error: block, transform: true }`,
  ]
}

function demoConfig(
  workers: readonly { readonly id: string; readonly url: string }[],
  hooks: readonly string[],
): string {
  const list = workers.map(({ id, url }) => `  - { id: ${id}, url: ${url} }`)
  const access = ['allow_anonymous: true', `admin_api_key: ${ADMIN_KEY}`]
  return ['workers:', ...list, ...hooks, 'policy: { type: least_load }', ...access, ''].join('\n')
}

/** The default port when it is free, else any: a second demo must not fail for the first one's sake. */
async function choosePort(wanted: string | undefined): Promise<number> {
  if (wanted !== undefined) return Number(wanted)
  return (await isFree(DEFAULT_PORT)) ? DEFAULT_PORT : 0
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, HOST, () => server.close(() => resolve(true)))
  })
}

async function waitUntilReady(url: string): Promise<void> {
  for (let tries = 0; tries < 150; tries += 1) {
    const ready = await fetch(`${url}/readiness`).catch(() => null)
    if (ready?.ok === true) return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  throw new Error('the router did not become ready within 30 seconds')
}

async function askOnce(url: string, model: string): Promise<void> {
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, max_tokens: 4, messages: [{ role: 'user', content: 'Hello' }] }),
  })
  if (!answer.ok) throw new Error(`a first request failed: ${answer.status} ${await answer.text()}`)
  await answer.arrayBuffer()
}

function curl(url: string, prompt: string): string {
  const body = JSON.stringify({
    model: FLEET[0].models[0],
    max_tokens: 40,
    messages: [{ role: 'user', content: prompt }],
  })
  return `curl -i ${url}/v1/chat/completions -H 'content-type: application/json' -d '${body}'`
}

function hooksWelcome(url: string): string {
  return `
Two hooks look at every request first. This one is rejected (403):

  ${curl(url, 'How do I build a bomb?')}

This one reaches its worker without the address and the card number (x-vllm-router-hooks: content-safety,pii-mask:transformed):

  ${curl(url, 'Write to ada@example.com about card 4111 1111 1111 1111.')}
`
}

/** Only of the demo's own configuration: of another nobody here knows the admin key. */
function explanation(url: string): string {
  return `Then ask why it went there:

  npx vllm-edge-router explain ${FIRST_REQUEST_ID} --url ${url} --admin-key ${ADMIN_KEY}
`
}

interface Welcome {
  readonly url: string
  readonly askedModel: string
  /** Simulated ones; none where a configuration names others. */
  readonly workerCount: number
}

const WORKER_COUNTS = ['the workers of its configuration', 'one simulated vLLM worker']

function welcome({ url, askedModel, workerCount }: Welcome, more: string): string {
  return `
The router is ready at ${url}
It runs in workerd, as on Cloudflare, in front of ${WORKER_COUNTS[workerCount] ?? `${workerCount} simulated vLLM workers`}.

Ask it (the answer streams; -i shows which worker was chosen, and why):

  curl -iN ${url}/v1/chat/completions -H 'x-request-id: ${FIRST_REQUEST_ID}' -H 'content-type: application/json' -d '{"model":"${askedModel}","stream":true,"max_tokens":40,"messages":[{"role":"user","content":"Why did this request go there?"}]}'

${more}
Look at:
  x-vllm-router-worker, -policy, -attempts    in the answer's headers
  ${url}/v1/models                 what the fleet serves
  ${url}/readiness                 whether it can
  the line printed here for each request      what was decided, and how it ended

An OpenAI client takes ${url}/v1 as its base URL and any key. Ctrl-C ends the router and its workers.
`
}

/** Where the router's log goes. */
const TERMINAL = {
  outTerminal: process.stdout.isTTY ? { columns: process.stdout.columns } : null,
  env: (name: string) => process.env[name],
  writeLine: (line: string) => void process.stdout.write(`${line}\n`),
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { config: { type: 'string' }, port: { type: 'string' }, hooks: { type: 'boolean', default: false } },
  })
  if (values.hooks && values.config !== undefined) throw new Error('--hooks belongs to the demo; your file has its own')
  const ownText = values.config === undefined ? null : await readFile(values.config, 'utf8')
  const wanted = ownText === null ? null : await fleetFor(ownText, values.config ?? '')
  const workers = await startFleet(wanted?.workers ?? FLEET)
  const hooks = values.hooks ? await startHooks() : []
  const configText = ownText ?? demoConfig(workers, hooks)
  const router = await startWorkerd({
    host: HOST,
    port: await choosePort(values.port),
    configText,
    variables: demoVariables(workers.map(({ url }) => url)),
    isDirect: false,
    plugins: [],
    writeLine: openServeLog(TERMINAL, () => ({ log: { level: 'info', format: 'auto', sampleRatio: 1 } })).writeJson,
  })
  running.push(router)
  await waitUntilReady(router.url)
  for (const model of new Set(FLEET.flatMap(({ models }) => models))) {
    if (ownText === null) await askOnce(router.url, model)
  }
  const more = [
    ...(ownText === null ? [explanation(router.url)] : []),
    ...(values.hooks ? [hooksWelcome(router.url)] : []),
  ]
  const { askedModel } = wanted ?? { askedModel: FLEET[0].models[0] }
  process.stdout.write(welcome({ url: router.url, askedModel, workerCount: workers.length }, more.join('')))
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => void stopAll(0))
// npm may be killed without passing a signal on; then nobody is left to see this output, and nothing may stay behind.
const parent = process.ppid
setInterval(() => {
  if (process.ppid !== parent) void stopAll(0)
}, 500).unref()

main().catch(async (error: unknown) => {
  process.stderr.write(`npm start: ${error instanceof Error ? error.message : String(error)}\n`)
  await stopAll(1)
})
