// The base URL of a worker: what is accepted, what is refused with which alternative, and its one normal form.
// Two spellings of the same address must become the same worker.

import * as z from 'zod'

const ALTERNATIVES: Readonly<Record<string, string>> = {
  'unix:': 'is a Unix socket, which Workers cannot reach; let vLLM listen on a TCP port and write http://HOST:PORT',
  'grpc:': 'is a gRPC address; the router speaks HTTP, so write the http:// address of the worker',
  'grpcs:': 'is a gRPC address; the router speaks HTTP, so write the https:// address of the worker',
  'ws:': 'is a WebSocket address; write the http:// address of the worker',
  'wss:': 'is a WebSocket address; write the https:// address of the worker',
}

/** A worker's base URL, normalised: no trailing slash, host in lower case, default port left out. */
export function workerUrl() {
  return z
    .string({ error: 'must be a URL such as http://10.0.0.7:8000' })
    .transform((value, context): string => {
      const result = parseWorkerUrl(value)
      if (result.ok) return result.url
      context.issues.push({ code: 'custom', message: result.message, input: value })
      return z.NEVER
    })
    .meta({ reaches: 'worker' })
}

/**
 * The address of a service: as a worker's, but with the path as it was written, and never normalised. `keyField` is where
 * a key for it goes.
 */
export function hookUrl(keyField = 'api_key of the hook') {
  return z
    .string({ error: 'must be a URL such as http://10.0.0.9:9000/check' })
    .superRefine((value, context) => {
      const message = hookUrlProblem(value, keyField)
      if (message !== null) context.addIssue({ code: 'custom', message, input: value })
    })
    .meta({ reaches: 'service' })
}

function hookUrlProblem(value: string, keyField: string): string | null {
  if (/^[a-z][a-z0-9+.-]*:/i.test(value) && !/^https?:/i.test(value)) return 'must start with http:// or https://'
  const shape = shapeProblem(value)
  if (shape !== null) return shape
  if (!URL.canParse(value)) return 'is no valid URL; write http://HOST:PORT/PATH'
  const url = new URL(value)
  if (url.username !== '' || url.password !== '') {
    return `has a user or password in front of the host; put the key in ${keyField}`
  }
  return /[?#]/.test(url.href) ? 'has a query or a fragment; put what the hook must know in its headers' : null
}

export type WorkerUrlResult =
  | { readonly ok: true; readonly url: string }
  | { readonly ok: false; readonly message: string }

/** Judges one URL; the message follows the path in a finding and never repeats the URL. */
export function parseWorkerUrl(value: string): WorkerUrlResult {
  const shape = shapeProblem(value)
  if (shape !== null) return { ok: false, message: shape }
  if (!URL.canParse(value)) return { ok: false, message: 'is no valid URL; write http://HOST:PORT' }
  const url = new URL(value)
  const problem = partsProblem(url)
  if (problem !== null) return { ok: false, message: problem }
  return { ok: true, url: `${url.origin}${url.pathname.replace(/\/+$/, '')}` }
}

// Before `new URL`, which would repair `http:host`, backslashes and spaces into something nobody wrote.
function shapeProblem(value: string): string | null {
  if (value === '') return 'is empty; write http://HOST:PORT'
  if (/[\s\\]/.test(value)) return 'has a space or a backslash; write http://HOST:PORT'
  const [, scheme] = /^([a-z][a-z0-9+.-]*:)\/\//i.exec(value) ?? []
  if (scheme === undefined) return 'has no scheme; write http:// or https:// in front of the host'
  const alternative = ALTERNATIVES[scheme.toLowerCase()]
  if (alternative !== undefined) return alternative
  if (!/^https?:$/i.test(scheme)) return 'must start with http:// or https://'
  return /^https?:\/\/[^/?#]/i.test(value) ? null : 'has no host; write http://HOST:PORT'
}

function partsProblem(url: URL): string | null {
  if (url.username !== '' || url.password !== '') {
    return 'has a user or password in front of the host; put the key in api_key of the worker'
  }
  // A bare `?` or `#` leaves search and hash empty, and is as wrong.
  if (/[?#]/.test(url.href)) return 'has a query or a fragment; a worker is http://HOST:PORT with an optional path'
  // `<worker>@<rank>` names a data-parallel rank, so an @ inside would name two things.
  return url.pathname.includes('@') ? 'has an @ in its path, which is reserved for data-parallel ranks' : null
}
