// The stage that holds requests back while the router has as many as it may: each waits on a timer of its own for a
// place, and keeps that until its exchange closes.

import type { OverloadConfig } from '../config/config.ts'
import { RouterError } from '../errors/router-error.ts'
import type { Applicant, Place, Waiter } from './admission-queue.ts'
import { shuttingDown } from './caller-refusal.ts'
import type { Exchange } from './exchange.ts'
import type { RouterParts } from './router-parts.ts'

/** How often a request looks for its turn where nothing that another request does can wake it. */
const LOOK_MS = 20

/** How often a request that waits says that it is alive, to those it holds something of already. */
const RENEW_MS = 15_000

/** Callers without a tenant are one group, of the weight that tenants have by default. */
const NOBODYS: Applicant = { group: '', weight: 1 }

/** The longest wait that is proposed to a client: libraries take a longer one for none. */
const MAX_RETRY_AFTER_SECONDS = 30

export interface PlaceWanted {
  readonly overload: OverloadConfig
  /** The client's: fires when it leaves. Asked for only by a request that has to wait. */
  signal(): AbortSignal
}

/**
 * Waits for a place. Throws `overloaded` for a request that there is no room for, or that waited too long, and
 * `client_closed_request` when its client left meanwhile.
 */
export async function waitForPlace(
  parts: RouterParts,
  exchange: Exchange,
  { overload, signal }: PlaceWanted,
): Promise<void> {
  const { tenant } = exchange
  const applicant = tenant === null ? NOBODYS : { group: tenant.name, weight: tenant.weight }
  const admission = parts.admission.enter(applicant, {
    maxConcurrent: overload.maxConcurrent,
    queueSize: overload.queueSize,
  })
  if (admission.kind === 'full') throw overloaded(parts)
  if (admission.kind === 'admitted') {
    exchange.held.push(admission.place)
    return
  }
  const startedAtMs = parts.platform.now()
  try {
    const place = await untilTurn(parts, admission.waiter, {
      limitMs: overload.queueTimeoutMs,
      signal: signal(),
      // Its tenant's slot would be taken for one that was lost.
      renew: () => exchange.held.forEach((held) => held.renew()),
    })
    exchange.held.push(place)
  } finally {
    admission.waiter.leave()
    exchange.queuedMs = Math.max(0, parts.platform.now() - startedAtMs)
  }
}

interface WaitLimits {
  readonly limitMs: number
  readonly signal: AbortSignal
  /** Called now and then while the request waits. */
  renew(): void
}

function untilTurn(parts: RouterParts, waiter: Waiter, { limitMs, signal, renew }: WaitLimits): Promise<Place> {
  const { platform } = parts
  const dueAtMs = platform.now() + limitMs
  const lookMs = platform.wakesAcrossRequests ? RENEW_MS : LOOK_MS
  let renewedAtMs = platform.now()
  return new Promise((resolve, reject) => {
    let callOff: () => void = () => {}
    const onLeave = () => refuse(new RouterError('client_closed_request', 'The client closed the connection.'))

    function stop(): void {
      callOff()
      signal.removeEventListener('abort', onLeave)
    }
    function refuse(error: RouterError): void {
      stop()
      reject(error)
    }
    function look(): void {
      const turn = waiter.turn()
      const leftMs = dueAtMs - platform.now()
      if (turn === 'refused') refuse(parts.isDraining() ? shuttingDown() : overloaded(parts))
      else if (turn !== 'not_yet') {
        stop()
        resolve(turn)
      } else if (leftMs <= 0) refuse(overloaded(parts))
      else {
        if (platform.now() - renewedAtMs >= RENEW_MS) {
          renewedAtMs = platform.now()
          renew()
        }
        callOff = platform.after(Math.min(lookMs, leftMs), look)
      }
    }

    signal.addEventListener('abort', onLeave)
    if (signal.aborted) onLeave()
    else look()
    if (platform.wakesAcrossRequests) {
      waiter.onTurn(() => {
        callOff()
        look()
      })
    }
  })
}

/** 503, not 429: it is the router that has too much to do, not this caller that asked for too much. */
function overloaded({ admission, platform }: RouterParts): RouterError {
  const waitSeconds = Math.ceil(admission.expectedWaitMs() / 1000)
  // Spread over twice the time, so that those refused together don't come back together.
  const seconds = waitSeconds + Math.round(platform.random() * waitSeconds)
  return new RouterError('overloaded', 'The router has too many requests at the moment; try again later.', {
    retryAfterSeconds: Math.min(MAX_RETRY_AFTER_SECONDS, Math.max(1, seconds)),
  })
}
