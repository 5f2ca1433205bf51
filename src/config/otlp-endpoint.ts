// Addresses of OpenTelemetry collectors, as people write them.

import * as z from 'zod'
import { type Problem, warningAt } from './finding.ts'

/** Where collectors take gRPC, and where they take HTTP. */
const GRPC_PORT = '4317'
const HTTP_PORT = '4318'

/** An address with or without scheme and path. */
export function otlpEndpoint() {
  return z
    .string({ error: 'must be a URL such as http://127.0.0.1:4318' })
    .superRefine((value, context) => {
      const message = endpointProblem(value)
      if (message !== null) context.addIssue({ code: 'custom', message, input: value })
    })
    .meta({ reaches: 'service' })
}

/** The whole URL: `http://` and `path` are added where they are missing, and gRPC's port is taken for the one of HTTP. */
export function toOtlpUrl(value: string, path: string): string {
  const url = withScheme(value)
  if (url.port === GRPC_PORT) url.port = HTTP_PORT
  if (url.pathname === '/') url.pathname = path
  return url.href
}

/** `what` goes elsewhere than was written, as in `spans go`. */
export function warnOfGrpc(endpoint: string | undefined, path: readonly string[], what: string): Problem[] {
  if (endpoint === undefined || withScheme(endpoint).port !== GRPC_PORT) return []
  const message = `names port ${GRPC_PORT}, where collectors take gRPC; ${what} to port ${HTTP_PORT} by HTTP. Write that port`
  return [warningAt(path, message)]
}

function withScheme(value: string): URL {
  return new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`)
}

function endpointProblem(value: string): string | null {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(value) && !/^https?:/i.test(value)) return 'must start with http:// or https://'
  if (value.trim() !== value || !URL.canParse(`http://${value.replace(/^https?:\/\//i, '')}`)) {
    return 'is no address; write http://HOST:PORT'
  }
  const { username, password, search, hash } = withScheme(value)
  if (username !== '' || password !== '') return 'has a user or password in front of the host; put the key in headers'
  return search === '' && hash === '' ? null : 'has a query or a fragment; remove it'
}
