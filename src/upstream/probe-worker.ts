// Asks one worker everything: whether it is well, what it serves, how busy it is, whether it sleeps. The health endpoint
// decides; the rest is asked of a worker that is well, and only as far as it serves it.

import type { HealthConfig, WorkerConfig } from '../config/config.ts'
import type { WorkerLoad, WorkerObservation } from '../store/fleet-store.ts'
import type { WithSlot } from './connection-slots.ts'
import { MODELS_PATH, toModelList } from './model-list.ts'
import type { KnownWorker } from './probe-memory.ts'
import { askWorker, type ProbeOutcome, type ProbePlatform, toJson, toText } from './probe-request.ts'
import { readLoad } from './worker-load.ts'

/** The endpoint nobody chose: a server without it may be an older one, or a proxy, and well. */
const DEFAULT_ENDPOINT = '/health'
const METRICS_PATH = '/metrics'
const SLEEPING_PATH = '/is_sleeping'

/** How long a path that is not served is left alone. */
export const UNSERVED_MS = 60_000
/** The same for one that could not be read: a worker too busy for it should not be asked for it all the time. */
export const UNREAD_MS = 10_000

/** What probing depends on, of a configuration. */
export interface ProbeSettings {
  readonly health: Pick<HealthConfig, 'intervalMs' | 'timeoutMs' | 'successThreshold' | 'endpoint'>
  readonly modelRefreshMs: number
}

/** What all workers of a round are asked with. */
export interface ProbeMeans {
  readonly platform: ProbePlatform
  readonly settings: ProbeSettings
  readonly withSlot: WithSlot
}

type Health = Pick<WorkerObservation, 'health' | 'status'>

/** Asks one path and gets the whole answer. */
type Ask = (path: string) => Promise<ProbeOutcome>

/** Asks one worker, and notes in `known` what the next round should remember. Never rejects. */
export async function probeWorker(
  means: ProbeMeans,
  worker: WorkerConfig,
  known: KnownWorker,
): Promise<WorkerObservation> {
  const { platform, settings, withSlot } = means
  const { timeoutMs } = settings.health
  const ask: Ask = (path) => withSlot(() => askWorker(platform, worker, { path, timeoutMs }))
  let health = await askHealth(means, known, ask)
  // What requests meet from here on is newer than this answer.
  const atMs = platform.now()
  if (health.health !== 'ok') return failed(worker, known, { atMs, ...health })
  const [refusal, load, isAsleep] = await Promise.all([
    refreshModels(means, known, ask),
    askLoad(means, known, ask),
    askSleep(means, known, ask),
  ])
  health = refusal ?? health
  if (health.health !== 'ok') return failed(worker, known, { atMs, ...health })
  known.noteOk()
  return { workerId: worker.id, atMs, ...health, models: worker.models ?? known.models, isAsleep, load }
}

function failed(worker: WorkerConfig, known: KnownWorker, how: Health & { readonly atMs: number }): WorkerObservation {
  known.noteFailure()
  return { workerId: worker.id, ...how, models: worker.models, isAsleep: null, load: null }
}

async function askHealth({ platform, settings }: ProbeMeans, known: KnownWorker, ask: Ask): Promise<Health> {
  const { endpoint } = settings.health
  const hasFallback = endpoint === DEFAULT_ENDPOINT
  if (!hasFallback || !known.isPaused(endpoint, platform.now())) {
    const outcome = await ask(endpoint)
    if (!hasFallback || !isUnserved(outcome)) return toHealth(outcome)
    known.pause(endpoint, platform.now() + UNSERVED_MS)
  }
  return toHealthByModels(platform, known, await ask(MODELS_PATH))
}

/** Without a health endpoint, a worker that lists its models, or answers that it has no such list either, is well. */
function toHealthByModels(platform: ProbePlatform, known: KnownWorker, outcome: ProbeOutcome): Health {
  const list = toModelList(outcome)
  if (list === null) return toFailure(outcome)
  noteModels(platform, known, list)
  return { health: 'ok', status: outcome.kind === 'answer' ? outcome.status : null }
}

function toHealth(outcome: ProbeOutcome): Health {
  return outcome.kind === 'answer' && outcome.isOk ? { health: 'ok', status: outcome.status } : toFailure(outcome)
}

function toFailure(outcome: ProbeOutcome): Health {
  if (outcome.kind !== 'answer') return { health: outcome.kind, status: null }
  return { health: 'bad_status', status: outcome.status }
}

/**
 * Reads the list of models when it is due. Returns what is wrong with a worker that refuses our key: its health endpoint
 * asks for none, but every request would fail there.
 */
async function refreshModels(means: ProbeMeans, known: KnownWorker, ask: Ask): Promise<Health | null> {
  const { platform, settings } = means
  const isFresh = known.models !== null && platform.now() - known.modelsReadAtMs < settings.modelRefreshMs
  if (isFresh) return null
  const outcome = await ask(MODELS_PATH)
  if (outcome.kind === 'answer' && (outcome.status === 401 || outcome.status === 403)) return toFailure(outcome)
  const list = toModelList(outcome)
  if (list !== null) noteModels(platform, known, list)
  return null
}

function noteModels(platform: ProbePlatform, known: KnownWorker, list: readonly { readonly id: string }[]): void {
  known.models = list.map(({ id }) => id)
  known.modelsReadAtMs = platform.now()
}

async function askLoad({ platform }: ProbeMeans, known: KnownWorker, ask: Ask): Promise<WorkerLoad | null> {
  if (known.isPaused(METRICS_PATH, platform.now())) return null
  const outcome = await ask(METRICS_PATH)
  const load = readLoad(toText(outcome), platform.now())
  if (load === null) known.pause(METRICS_PATH, platform.now() + pauseAfter(outcome))
  return load
}

/** What it last said holds while it can't be asked: a worker that sleeps may be slow to say so again. */
async function askSleep({ platform }: ProbeMeans, known: KnownWorker, ask: Ask): Promise<boolean | null> {
  if (known.isPaused(SLEEPING_PATH, platform.now())) return known.isAsleep
  const outcome = await ask(SLEEPING_PATH)
  const said = readSleeping(outcome)
  if (said === null) known.pause(SLEEPING_PATH, platform.now() + pauseAfter(outcome))
  if (said !== null || pauseAfter(outcome) === UNSERVED_MS) known.isAsleep = said
  return known.isAsleep
}

function readSleeping(outcome: ProbeOutcome): boolean | null {
  const body = toJson(outcome)
  if (typeof body !== 'object' || body === null || !('is_sleeping' in body)) return null
  return typeof body.is_sleeping === 'boolean' ? body.is_sleeping : null
}

function isUnserved(outcome: ProbeOutcome): boolean {
  return outcome.kind === 'answer' && (outcome.status === 404 || outcome.status === 405)
}

/** A worker that answers something else has no such thing; one in trouble may have it later. */
function pauseAfter(outcome: ProbeOutcome): number {
  return outcome.kind === 'answer' && outcome.status < 500 ? UNSERVED_MS : UNREAD_MS
}
