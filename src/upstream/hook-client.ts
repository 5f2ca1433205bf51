// One call of one hook: sends the input, and reads the whole answer within its deadline and size. What an answer means
// is not judged here.

import type { Platform, WorkerAnswer } from '../platform.ts'

export interface HookCall {
  readonly url: string
  readonly headers: Headers
  readonly body: Uint8Array<ArrayBuffer>
  /** For everything, up to the last byte of the answer. */
  readonly timeoutMs: number
  /** The caller's signal: when it fires, the call is aborted at once. */
  readonly clientSignal: AbortSignal
}

export type HookReply =
  | { readonly kind: 'answer'; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'timeout' }
  /** `isOutage`: the service is at fault; otherwise this request may be what it does not take. */
  | { readonly kind: 'error'; readonly why: string; readonly isOutage: boolean }
  | { readonly kind: 'aborted' }

/** An answer is a word and at most one request body; what is larger is not worth the memory. */
export const MAX_HOOK_ANSWER_BYTES = 1024 * 1024

/** Client errors that speak of the service's state: it gave up waiting, or has too much to do. */
const BUSY_STATUSES: ReadonlySet<number> = new Set([408, 429])

type HookPlatform = Pick<Platform, 'after' | 'send' | 'classifySendError'>

/** Never rejects, and never takes longer than the deadline, whatever the runtime makes of an abort. */
export async function callHook(platform: HookPlatform, call: HookCall): Promise<HookReply> {
  const controller = new AbortController()
  let cutShort: (reply: HookReply) => void = () => {}
  const cut = new Promise<HookReply>((resolve) => (cutShort = resolve))
  const onClientGone = () => cutShort({ kind: 'aborted' })
  const callOff = platform.after(call.timeoutMs, () => cutShort({ kind: 'timeout' }))
  call.clientSignal.addEventListener('abort', onClientGone)
  try {
    if (call.clientSignal.aborted) return { kind: 'aborted' }
    return await Promise.race([exchange(platform, call, controller.signal), cut])
  } finally {
    callOff()
    call.clientSignal.removeEventListener('abort', onClientGone)
    // After a whole answer this does nothing; otherwise it drops the connection, and with it what is still to come.
    controller.abort()
  }
}

async function exchange(platform: HookPlatform, call: HookCall, signal: AbortSignal): Promise<HookReply> {
  const { url, headers, body, timeoutMs } = call
  try {
    const response = await platform.send(url, { method: 'POST', headers, body, signal, connectTimeoutMs: timeoutMs })
    if (!response.ok) return refused(response.status)
    const bytes = await readCapped(response)
    return bytes === null ? { kind: 'error', why: 'oversized', isOutage: false } : { kind: 'answer', bytes }
  } catch (error) {
    return { kind: 'error', why: platform.classifySendError(error).reason, isOutage: true }
  }
}

/** Redirects count: they are not followed, since the body would go to whoever they name. */
function refused(status: number): HookReply {
  return { kind: 'error', why: `status ${status}`, isOutage: status >= 500 || BUSY_STATUSES.has(status) }
}

/** The whole body; null when it is, or says it is, larger than allowed. */
async function readCapped(response: WorkerAnswer): Promise<Uint8Array<ArrayBuffer> | null> {
  if (Number(response.headers.get('content-length') ?? 0) > MAX_HOOK_ANSWER_BYTES) return null
  const chunks: Uint8Array[] = []
  let size = 0
  const reader = response.body?.getReader()
  for (;;) {
    const next = await reader?.read()
    if (next === undefined || next.done) break
    size += next.value.length
    if (size > MAX_HOOK_ANSWER_BYTES) return null
    chunks.push(next.value)
  }
  const whole = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}
