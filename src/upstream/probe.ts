// Asks workers what they serve. A worker that answers `/v1/models` is up; its list says which models it can take.

import type { WorkerConfig } from '../config/config.ts'
import type { Platform } from '../platform.ts'
import type { WorkerObservation } from '../store/fleet-store.ts'

/** Connections waiting for headers at once; Cloudflare allows six per invocation. */
const WAVE = 6

/** A worker busy enough to take longer than this for a static list can't take a request either. */
export const PROBE_TIMEOUT_MS = 2_000

/** How soon to ask again while some worker is not up, in milliseconds. */
const EAGER_PROBE_MS = 1_000

/** Part of a model's entry in a worker's `/v1/models`; the rest is passed through as it came. */
export interface ModelEntry {
  readonly id: string
  readonly [field: string]: unknown
}

/** Asks all workers, six at a time. Never rejects. */
export async function probeWorkers(
  platform: Pick<Platform, 'now' | 'after' | 'send' | 'binding'>,
  workers: readonly WorkerConfig[],
): Promise<readonly WorkerObservation[]> {
  const observations: WorkerObservation[] = []
  await forEachInWaves(workers, WAVE, async (worker) => {
    const entries = await listModels(platform, worker)
    observations.push({
      workerId: worker.id,
      reachable: entries !== null,
      models: worker.models ?? entries?.map((entry) => entry.id) ?? null,
      atMs: platform.now(),
    })
  })
  return observations
}

/** Milliseconds until the next round: sooner while a worker is missing, so that one that starts is found quickly. */
export function nextProbeMs(observations: readonly WorkerObservation[], refreshMs: number): number {
  return observations.every((observation) => observation.reachable) ? refreshMs : Math.min(EAGER_PROBE_MS, refreshMs)
}

/**
 * The worker's own list of models; null when it can't be had. A worker that answers but has no such route (an older
 * server, or a proxy) is up with an empty list, and serves what the configuration says.
 */
export async function listModels(
  platform: Pick<Platform, 'after' | 'send' | 'binding'>,
  worker: WorkerConfig,
): Promise<readonly ModelEntry[] | null> {
  const controller = new AbortController()
  const callOff = platform.after(PROBE_TIMEOUT_MS, () => controller.abort())
  try {
    const headers = new Headers({ accept: 'application/json', 'accept-encoding': 'identity' })
    if (worker.apiKey !== null) headers.set('authorization', `Bearer ${worker.apiKey}`)
    const init = { method: 'GET', headers, signal: controller.signal }
    const url = `${worker.url}/v1/models`
    const response = await (worker.binding === null
      ? platform.send(url, { ...init, body: null, connectTimeoutMs: PROBE_TIMEOUT_MS })
      : platform.binding(worker.binding)?.fetch(new Request(url, { ...init, redirect: 'manual' })))
    if (response === undefined) return null
    const text = await response.text()
    if (response.status === 404) return []
    return response.ok ? readModelList(text) : null
  } catch {
    // Refused, reset, timed out or not JSON: all mean the same here, the worker can't say what it serves.
    return null
  } finally {
    callOff()
  }
}

function readModelList(text: string): readonly ModelEntry[] | null {
  const body: unknown = JSON.parse(text)
  if (typeof body !== 'object' || body === null || !('data' in body) || !Array.isArray(body.data)) return null
  return body.data.filter(isModelEntry)
}

function isModelEntry(entry: unknown): entry is ModelEntry {
  return typeof entry === 'object' && entry !== null && 'id' in entry && typeof entry.id === 'string'
}

/** Runs `task` for every item with at most `width` under way. */
export async function forEachInWaves<Item>(
  items: readonly Item[],
  width: number,
  task: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = items.values()
  const runners = Array.from({ length: Math.min(width, items.length) }, async () => {
    for (const item of queue) await task(item)
  })
  await Promise.all(runners)
}
