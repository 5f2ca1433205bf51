// One question to one service that knows keys: is this one good? The whole answer must come within the deadline; what
// the services together say is not judged here.

import type { Platform } from '../platform.ts'

export interface KeyQuestion {
  readonly url: string
  readonly key: string
  readonly requestId: string
  /** For everything, up to the last byte of the answer. */
  readonly timeoutMs: number
  /** Fires when nobody waits for the answer any more. */
  readonly signal: AbortSignal
}

export type KeyReply =
  | { readonly kind: 'accepted' | 'refused' | 'called_off' }
  /** `isOfService`: the service is at fault; otherwise this key may be what it chokes on. `why` is for the log. */
  | { readonly kind: 'outage'; readonly why: string; readonly isOfService: boolean }

/** An answer is a status; what is longer than this is not waited for. */
const MAX_ANSWER_BYTES = 65_536

/** Client errors that speak of the service's state: it gave up waiting, or has too much to do. */
const BUSY_STATUSES: ReadonlySet<number> = new Set([408, 429])

type KeyPlatform = Pick<Platform, 'after' | 'send' | 'classifySendError'>

/** Never rejects, and never takes longer than the deadline, whatever the runtime makes of an abort. */
export async function askKeyService(platform: KeyPlatform, question: KeyQuestion): Promise<KeyReply> {
  const { timeoutMs, signal } = question
  const controller = new AbortController()
  let cutShort: (reply: KeyReply) => void = () => {}
  const cut = new Promise<KeyReply>((resolve) => (cutShort = resolve))
  const onCallOff = () => cutShort({ kind: 'called_off' })
  const late = { kind: 'outage', why: `no whole answer in ${timeoutMs} ms`, isOfService: true } as const
  const stopClock = platform.after(timeoutMs, () => cutShort(late))
  signal.addEventListener('abort', onCallOff)
  try {
    if (signal.aborted) return { kind: 'called_off' }
    return await Promise.race([exchange(platform, question, controller.signal), cut])
  } finally {
    stopClock()
    signal.removeEventListener('abort', onCallOff)
    // After a whole answer this does nothing; otherwise it drops the connection, and with it what is still to come.
    controller.abort()
  }
}

async function exchange(platform: KeyPlatform, question: KeyQuestion, signal: AbortSignal): Promise<KeyReply> {
  const { url, key, requestId, timeoutMs } = question
  const headers = new Headers({
    authorization: `Bearer ${key}`,
    'x-request-id': requestId,
    // An answer about one key must never be given for another by a cache in between.
    'cache-control': 'no-store',
    'accept-encoding': 'identity',
  })
  try {
    const answer = await platform.send(url, { method: 'GET', headers, body: null, signal, connectTimeoutMs: timeoutMs })
    // Read to its end, so that the connection can be used again.
    await drain(answer.body)
    return toReply(answer.status)
  } catch (error) {
    return { kind: 'outage', why: platform.classifySendError(error).reason, isOfService: true }
  }
}

/** Redirects are not followed, since the key would go to whoever they name: they are no answer. */
function toReply(status: number): KeyReply {
  if (status === 200) return { kind: 'accepted' }
  const isSilent = status >= 500 || (status >= 300 && status < 400) || BUSY_STATUSES.has(status)
  if (!isSilent) return { kind: 'refused' }
  return { kind: 'outage', why: `status ${status}`, isOfService: status !== 500 }
}

async function drain(body: ReadableStream<Uint8Array> | null): Promise<void> {
  const reader = body?.getReader()
  let size = 0
  while (reader !== undefined && size <= MAX_ANSWER_BYTES) {
    const { done, value } = await reader.read()
    if (done) return
    size += value.length
  }
}
