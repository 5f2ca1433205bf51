// The simulated workers of `npm start`: two models over three workers, or the models that a configuration of your own wants
// of them. It reaches them as ${DEMO_WORKER_1} to ${DEMO_WORKER_3}.

import { formatFindings } from '../src/config/print.ts'
import { loadConfig } from '../src/config/load.ts'
import { BUILT_IN_POLICIES } from '../src/routing/policies/index.ts'

export interface DemoWorker {
  readonly id: string
  readonly models: readonly [string, ...string[]]
  readonly itlMs: number
  readonly prefillOverheadMs: number
}

/** Timed like an 8B and a 70B model on real GPUs, only with less to say. */
export const FLEET: readonly [DemoWorker, ...DemoWorker[]] = [
  { id: 'gpu-1', models: ['demo/llama-8b'], itlMs: 12, prefillOverheadMs: 30 },
  { id: 'gpu-2', models: ['demo/llama-8b'], itlMs: 12, prefillOverheadMs: 30 },
  { id: 'gpu-3', models: ['demo/llama-70b'], itlMs: 25, prefillOverheadMs: 80 },
]

/** What a configuration's placeholder for each worker is called. */
export function demoVariables(urls: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(urls.map((url, index) => [`DEMO_WORKER_${index + 1}`, url]))
}

export interface WantedFleet {
  readonly workers: readonly DemoWorker[]
  /** What to ask for: a name that lets the router choose, where there is one. */
  readonly askedModel: string
}

/** The workers that the file refers to, with the models it lists of them. Throws for a file that does not load. */
export async function fleetFor(text: string, source: string): Promise<WantedFleet> {
  // Where they listen is not known before they serve something.
  const places = FLEET.map((_, index) => `http://demo-worker-${index + 1}.invalid`)
  const variables: Readonly<Record<string, string | undefined>> = { ...process.env, ...demoVariables(places) }
  const loaded = await loadConfig(text, { env: (name) => variables[name], policies: BUILT_IN_POLICIES, source })
  if (!loaded.ok) throw new Error(`the configuration does not load\n${formatFindings(loaded.findings, source)}`)
  const { config } = loaded
  // As many as it refers to: the others would have nothing to do.
  const count = FLEET.reduce((most, _, index) => (text.includes(`DEMO_WORKER_${index + 1}`) ? index + 1 : most), 0)
  const workers = FLEET.slice(0, count).map((worker, index): DemoWorker => {
    const listed = config.workers.find(({ url }) => url === places[index])?.models ?? []
    const [first, ...rest] = listed
    return first === undefined ? worker : { ...worker, models: [first, ...rest] }
  })
  const served = workers[0]?.models[0] ?? config.workers.flatMap(({ models }) => models ?? [])[0]
  const askedModel = config.decisions?.autoModels[0] ?? config.defaultModel ?? served ?? FLEET[0].models[0]
  return { workers, askedModel }
}
