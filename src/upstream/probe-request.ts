// One GET to a worker: its whole answer within a time and a size. Outcomes are data; nothing here throws for what a
// worker does.

import type { WorkerConfig } from '../config/config.ts'
import type { Platform, WorkerAnswer } from '../platform.ts'

/** What asking workers takes of a platform. */
export type ProbePlatform = Pick<Platform, 'now' | 'after' | 'send' | 'binding'>

/** Longest answer that is read. The metrics of sixteen engines are about two megabytes. */
export const MAX_ANSWER_BYTES = 4 * 1024 * 1024

/** Whom to ask: a worker, or whoever else is reached the same way. */
export type AskedService = Pick<WorkerConfig, 'url' | 'apiKey' | 'binding'>

export interface ProbeAnswer {
  readonly kind: 'answer'
  readonly status: number
  readonly isOk: boolean
  /** Null when it was longer than is read. */
  readonly text: string | null
}

export type ProbeOutcome = ProbeAnswer | { readonly kind: 'timeout' | 'unreachable' }

/** The body of a good answer; empty for any other. */
export function toText(outcome: ProbeOutcome): string {
  return outcome.kind === 'answer' && outcome.isOk ? (outcome.text ?? '') : ''
}

/** The body of a good answer as JSON; null for any other, and for what is no JSON, such as the page of a proxy. */
export function toJson(outcome: ProbeOutcome): unknown {
  try {
    return JSON.parse(toText(outcome))
  } catch {
    return null
  }
}

/** Connections that break are tried once more: the worker may have closed an idle one just as we used it. */
const TRIES = 2

/** Asks a worker, its key sent. A redirect is an answer like any other: where it leads must not get the key. */
export async function askWorker(
  platform: Pick<Platform, 'after' | 'send' | 'binding'>,
  worker: AskedService,
  { path, timeoutMs }: { readonly path: string; readonly timeoutMs: number },
): Promise<ProbeOutcome> {
  const controller = new AbortController()
  let callOff = () => {}
  // Raced and not only aborted: not every runtime breaks the body of a binding's answer when its request is aborted.
  const late = new Promise<ProbeOutcome>((resolve) => {
    callOff = platform.after(timeoutMs, () => {
      controller.abort()
      resolve({ kind: 'timeout' })
    })
  })
  try {
    return await Promise.race([late, askTwice(() => dispatch(platform, { worker, path, timeoutMs, controller }))])
  } finally {
    callOff()
  }
}

async function askTwice(dispatchOnce: () => Promise<ProbeAnswer>): Promise<ProbeOutcome> {
  for (let tried = 0; tried < TRIES; tried += 1) {
    try {
      return await dispatchOnce()
    } catch {
      // Refused, reset, cut short: all mean that no whole answer came.
    }
  }
  return { kind: 'unreachable' }
}

interface Dispatch {
  readonly worker: AskedService
  readonly path: string
  readonly timeoutMs: number
  readonly controller: AbortController
}

async function dispatch(
  platform: Pick<Platform, 'send' | 'binding'>,
  { worker, path, timeoutMs, controller }: Dispatch,
): Promise<ProbeAnswer> {
  const headers = new Headers({ accept: '*/*', 'accept-encoding': 'identity' })
  if (worker.apiKey !== null) headers.set('authorization', `Bearer ${worker.apiKey.reveal()}`)
  const init = { method: 'GET', headers, signal: controller.signal }
  const url = `${worker.url}${path}`
  const answer = await (worker.binding === null
    ? platform.send(url, { ...init, body: null, connectTimeoutMs: timeoutMs })
    : platform.binding(worker.binding)?.fetch(new Request(url, { ...init, redirect: 'manual' })))
  if (answer === undefined) throw new Error(`no binding named ${worker.binding ?? ''}`)
  return { kind: 'answer', status: answer.status, isOk: answer.ok, text: await readText(answer, controller) }
}

/** The body as text; null when it is longer than is read, and then the connection is given up. */
async function readText({ body }: WorkerAnswer, controller: AbortController): Promise<string | null> {
  if (body === null) return ''
  const reader = body.getReader()
  const decoder = new TextDecoder()
  const pieces: string[] = []
  let bytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    bytes += value.byteLength
    if (bytes > MAX_ANSWER_BYTES) {
      await reader.cancel().catch(() => {
        // Nobody reads on in either case.
      })
      controller.abort()
      return null
    }
    pieces.push(decoder.decode(value, { stream: true }))
  }
  pieces.push(decoder.decode())
  return pieces.join('')
}
