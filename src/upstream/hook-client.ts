// One call of one hook: sends the input, and reads the whole answer within its deadline and size. What an answer means
// is not judged here.

import type { Platform, WorkerAnswer } from '../platform.ts'

export interface HookCall {
  readonly url: string
  readonly headers: Headers
  readonly body: Uint8Array<ArrayBuffer>
  /** For everything, up to the last byte of the answer. */
  readonly timeoutMs: number
  /** Where longer answers are to be expected than of a hook. */
  readonly maxAnswerBytes?: number
  /** The caller's signal: when it fires, the call is aborted at once. */
  readonly clientSignal: AbortSignal
}

export type HookReply =
  | { readonly kind: 'answer'; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'error'; readonly why: string }
  | { readonly kind: 'aborted' }

/** An answer is a word and at most one request body; up to this size it is always read. */
export const MAX_HOOK_ANSWER_BYTES = 1024 * 1024

/** How much longer than the body it was sent a transformed one may be: masks are longer than what they hide. */
const LARGEST_GROWTH = 2

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
  const { url, headers, body, timeoutMs, maxAnswerBytes = MAX_HOOK_ANSWER_BYTES } = call
  try {
    const response = await platform.send(url, { method: 'POST', headers, body, signal, connectTimeoutMs: timeoutMs })
    // Redirects count as failures: they are not followed, since the body would go to whoever they name.
    if (!response.ok) return { kind: 'error', why: `status ${response.status}` }
    const bytes = await readCapped(response, Math.max(maxAnswerBytes, LARGEST_GROWTH * body.length))
    return bytes === null ? { kind: 'error', why: 'oversized' } : { kind: 'answer', bytes }
  } catch (error) {
    return { kind: 'error', why: platform.classifySendError(error).reason }
  }
}

/** The whole body; null when it is, or says it is, larger than `maxBytes`. */
async function readCapped(response: WorkerAnswer, maxBytes: number): Promise<Uint8Array<ArrayBuffer> | null> {
  if (Number(response.headers.get('content-length') ?? 0) > maxBytes) return null
  const chunks: Uint8Array[] = []
  let size = 0
  const reader = response.body?.getReader()
  for (;;) {
    const next = await reader?.read()
    if (next === undefined || next.done) break
    size += next.value.length
    if (size > maxBytes) return null
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
