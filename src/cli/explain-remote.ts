// `explain` at a running router.

import type { DryRunAsked } from './explain-body.ts'
import { readExplanation } from './explain-answer.ts'
import type { Explained } from './explain.ts'
import type { Flags } from './flags.ts'
import type { Host } from './host.ts'
import { UsageError } from './usage-error.ts'

const TIMEOUT_MS = 30_000

/** A decision that was made. */
export function askRouter(host: Host, flags: Flags, url: string, id: string): Promise<Explained> {
  const worker = flags.value('worker')
  const query = worker === null ? '' : `?worker=${encodeURIComponent(worker)}`
  return ask(host, flags, { url, path: `/admin/explain/${encodeURIComponent(id)}${query}` })
}

export function dryRunAtRouter(host: Host, flags: Flags, url: string, body: DryRunAsked): Promise<Explained> {
  return ask(host, flags, { url, path: '/admin/explain', body })
}

interface Question {
  readonly url: string
  readonly path: string
  readonly body?: DryRunAsked
}

async function ask(host: Host, flags: Flags, { url, path, body }: Question): Promise<Explained> {
  if (!/^https?:\/\//.test(url) || !URL.canParse(url))
    throw new UsageError(`--url takes an address such as http://127.0.0.1:3001`)
  const key = flags.value('admin-key') ?? host.env('ROUTER_ADMIN_KEY')
  const headers: Record<string, string> = { accept: 'application/json' }
  if (key !== undefined && key !== '') headers['authorization'] = `Bearer ${key}`
  if (body !== undefined) headers['content-type'] = 'application/json'
  const response = await host.fetch(url.replace(/\/+$/, '') + path, {
    headers,
    signal: AbortSignal.timeout(TIMEOUT_MS),
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  })
  return readExplanation(response)
}
