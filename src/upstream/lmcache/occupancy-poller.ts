// Asks LMCache's control plane how full caches are, time after time. Who keeps the time (a timer, an object's alarm) is not
// known here; who is asked is read anew each time, since a reload may have changed it.

import { identityOf, type Secret } from '../../secret.ts'
import type { HeardOccupancy, LmcacheInstance, PollOutcome } from '../../store/lmcache-occupancy.ts'
import { withJitter } from '../probe.ts'
import { askWorker, type ProbeOutcome, type ProbePlatform, toJson } from '../probe-request.ts'
import { parseDirectory, parseWorkers } from './occupancy-answer.ts'

/** A control plane that fails again and again is asked twice as seldom each time, down to this often. */
const SELDOM_MS = 60_000

/** Whom to ask, and how; what a policy needs of LMCache is one. */
export interface OccupancySettings {
  readonly controllerUrl: string
  readonly controllerType: 'legacy' | 'coordinator'
  readonly controllerApiKey: Secret | null
  readonly controllerBinding: string | null
  readonly pollIntervalMs: number
  readonly controllerTimeoutMs: number
}

export interface OccupancyPollerOptions {
  readonly platform: ProbePlatform & { random(): number }
  /** Null where the policy wants nothing of LMCache. */
  readonly needs: () => OccupancySettings | null
  /** Takes what has come; null when what came before is of another control plane, or not wanted any more. */
  readonly onHeard: (heard: HeardOccupancy | null) => void
}

export interface OccupancyPoller {
  /** Asks when it is time to and nobody is asking. Never rejects. */
  pollIfDue(): Promise<void>
  /** Milliseconds until it is time; null where nobody is to be asked. */
  dueInMs(): number | null
}

type Polled =
  | { readonly outcome: 'ok'; readonly instances: readonly LmcacheInstance[] }
  | { readonly outcome: Exclude<PollOutcome, 'ok'> }

export function createOccupancyPoller({ platform, needs, onHeard }: OccupancyPollerOptions): OccupancyPoller {
  /** Whose answers `heard` are; null before anybody was asked. */
  let asked: string | null = null
  let heard: HeardOccupancy | null = null
  let failures = 0
  let nextAtMs = Number.NEGATIVE_INFINITY
  let underWay = 0

  function forget(controller: string | null): void {
    asked = controller
    failures = 0
    nextAtMs = Number.NEGATIVE_INFINITY
    if (heard !== null) onHeard((heard = null))
  }

  async function poll(wanted: OccupancySettings, startedAtMs: number): Promise<void> {
    const polled = await ask(platform, wanted)
    // Another control plane is asked by now.
    if (asked !== controllerOf(wanted)) return
    failures = polled.outcome === 'ok' ? 0 : failures + 1
    nextAtMs = Math.max(nextAtMs, startedAtMs + waitMs(wanted.pollIntervalMs, failures))
    heard =
      polled.outcome === 'ok'
        ? { instances: polled.instances, saidAtMs: startedAtMs, lastPoll: 'ok' }
        : { instances: heard?.instances ?? [], saidAtMs: heard?.saidAtMs ?? null, lastPoll: polled.outcome }
    onHeard(heard)
  }

  return {
    async pollIfDue() {
      const wanted = needs()
      const controller = wanted === null ? null : controllerOf(wanted)
      if (controller !== asked) forget(controller)
      const startedAtMs = platform.now()
      if (wanted === null || underWay > 0 || startedAtMs < nextAtMs) return
      underWay += 1
      nextAtMs = startedAtMs + withJitter(wanted.pollIntervalMs, platform.random())
      try {
        await poll(wanted, startedAtMs)
      } finally {
        underWay -= 1
      }
    },
    dueInMs() {
      const wanted = needs()
      if (wanted === null) return asked === null ? null : 0
      if (controllerOf(wanted) !== asked) return 0
      return Math.max(underWay > 0 ? wanted.controllerTimeoutMs : 0, nextAtMs - platform.now())
    },
  }
}

/** Tells two control planes apart. */
function controllerOf({
  controllerUrl,
  controllerType,
  controllerApiKey,
  controllerBinding,
}: OccupancySettings): string {
  return identityOf([controllerUrl, controllerType, controllerApiKey, controllerBinding])
}

function waitMs(intervalMs: number, failures: number): number {
  if (failures < 2) return 0
  return Math.max(intervalMs, Math.min(SELDOM_MS, intervalMs * 2 ** (failures - 1)))
}

async function ask(platform: ProbePlatform, needs: OccupancySettings): Promise<Polled> {
  if (needs.controllerType === 'legacy') {
    const workers = await get(platform, needs, '/controller/workers')
    return toPolled(workers, parseWorkers)
  }
  const [stats, instances] = await Promise.all([
    get(platform, needs, '/directory/stats'),
    get(platform, needs, '/instances'),
  ])
  return toPolled(stats, (answer) => parseDirectory(answer, toJson(instances)))
}

function get(platform: ProbePlatform, needs: OccupancySettings, path: string): Promise<ProbeOutcome> {
  const { controllerUrl: url, controllerApiKey: apiKey, controllerBinding: binding, controllerTimeoutMs } = needs
  return askWorker(platform, { url, apiKey, binding }, { path, timeoutMs: controllerTimeoutMs })
}

function toPolled(outcome: ProbeOutcome, parse: (answer: unknown) => readonly LmcacheInstance[] | null): Polled {
  if (outcome.kind !== 'answer') return { outcome: outcome.kind }
  if (!outcome.isOk) return { outcome: 'bad_status' }
  const instances = parse(toJson(outcome))
  return instances === null ? { outcome: 'bad_answer' } : { outcome: 'ok', instances }
}
