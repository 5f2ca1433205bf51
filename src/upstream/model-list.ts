// What a worker says it serves: its `/v1/models`.

import type { WorkerConfig } from '../config/config.ts'
import type { Platform } from '../platform.ts'
import { askWorker, type ProbeOutcome, toJson } from './probe-request.ts'

export const MODELS_PATH = '/v1/models'

/** A worker busy enough to take longer than this for a static list can't take a request either. */
const LIST_TIMEOUT_MS = 2_000

/** Part of a model's entry in a worker's `/v1/models`; the rest is passed through as it came. */
export interface ModelEntry {
  readonly id: string
  readonly [field: string]: unknown
}

/** The worker's own list of models; null when it can't be had. */
export async function listModels(
  platform: Pick<Platform, 'after' | 'send' | 'binding'>,
  worker: WorkerConfig,
): Promise<readonly ModelEntry[] | null> {
  return toModelList(await askWorker(platform, worker, { path: MODELS_PATH, timeoutMs: LIST_TIMEOUT_MS }))
}

/**
 * The list in an answer; null when there is none. A worker that answers but has no such route (an older server, or a proxy)
 * has an empty list, and serves what the configuration says.
 */
export function toModelList(outcome: ProbeOutcome): readonly ModelEntry[] | null {
  if (outcome.kind !== 'answer') return null
  if (outcome.status === 404) return []
  const body = toJson(outcome)
  if (typeof body !== 'object' || body === null || !('data' in body) || !Array.isArray(body.data)) return null
  return body.data.filter(isModelEntry)
}

function isModelEntry(entry: unknown): entry is ModelEntry {
  return typeof entry === 'object' && entry !== null && 'id' in entry && typeof entry.id === 'string'
}
