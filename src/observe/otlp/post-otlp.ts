// One message to a collector, within a time limit; whatever goes wrong is no more than a message that did not arrive.

import { revealAll, type Secret } from '../../secret.ts'
import type { Platform } from '../../platform.ts'

const TIMEOUT_MS = 5_000

/** Statuses that the protocol lets a message be sent again after. */
const TRY_LATER: ReadonlySet<number> = new Set([429, 502, 503, 504])

export type OtlpProtocol = 'http/json' | 'http/protobuf'

/** Where messages go, and how. */
export interface OtlpTarget {
  /** A whole URL, path included. */
  readonly endpoint: string
  readonly protocol: OtlpProtocol
  readonly headers: Readonly<Record<string, Secret>>
  /** How long one message may take; five seconds where it is not said. */
  readonly timeoutMs?: number
}

/** What became of a message. One that is to be sent later may say when. */
export type OtlpOutcome =
  | { readonly kind: 'taken' }
  | { readonly kind: 'refused' }
  | { readonly kind: 'later'; readonly afterMs: number | null }

/** Whether the collector took it. Never rejects. */
export async function postOtlp(
  target: OtlpTarget,
  body: string | Uint8Array<ArrayBuffer>,
  platform: Pick<Platform, 'after' | 'send'>,
): Promise<boolean> {
  return (await sendOtlp(target, body, platform)).kind === 'taken'
}

/** The same with what it means for the message. Never rejects. */
export async function sendOtlp(
  { endpoint, protocol, headers, timeoutMs = TIMEOUT_MS }: OtlpTarget,
  body: string | Uint8Array<ArrayBuffer>,
  { after, send }: Pick<Platform, 'after' | 'send'>,
): Promise<OtlpOutcome> {
  const controller = new AbortController()
  const callOff = after(timeoutMs, () => controller.abort())
  const type = protocol === 'http/json' ? 'application/json' : 'application/x-protobuf'
  try {
    const answer = await send(endpoint, {
      method: 'POST',
      headers: new Headers({ ...revealAll(headers), 'content-type': type }),
      body: typeof body === 'string' ? new Uint8Array(new TextEncoder().encode(body)) : body,
      signal: controller.signal,
      connectTimeoutMs: timeoutMs,
    })
    await answer.arrayBuffer()
    if (answer.ok) return { kind: 'taken' }
    return TRY_LATER.has(answer.status) ? { kind: 'later', afterMs: retryAfterMs(answer.headers) } : { kind: 'refused' }
  } catch {
    return { kind: 'later', afterMs: null }
  } finally {
    callOff()
  }
}

/** In seconds; collectors send no dates. Null where it says nothing. */
function retryAfterMs(headers: Pick<Headers, 'get'>): number | null {
  const seconds = headers.get('retry-after')
  return seconds !== null && /^\d{1,6}$/.test(seconds) ? Number(seconds) * 1_000 : null
}
