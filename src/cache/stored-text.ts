// A stored answer as text, for places that keep texts: one line of JSON about it, then its body as it is.

import type { StoredAnswer } from './response-store.ts'

/** Changes with the form; texts of another one are not read. */
const FORM = 1

/** Null for a body that is no UTF-8, which would not come back as it was. */
export function toStoredText({ body, ...about }: StoredAnswer): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
    const { party, model, headers, storedAtMs, epoch } = about
    return `${JSON.stringify([FORM, party, model, headers, storedAtMs, epoch])}\n${text}`
  } catch {
    return null
  }
}

/** Null for whatever this version did not write. */
export function parseStoredText(text: string): StoredAnswer | null {
  const end = text.indexOf('\n')
  if (end === -1) return null
  try {
    const about: unknown = JSON.parse(text.slice(0, end))
    if (!Array.isArray(about) || about.length !== 6) return null
    const [form, party, model, headers, storedAtMs, epoch]: unknown[] = about
    const isPlain = typeof model === 'string' && typeof storedAtMs === 'number' && typeof epoch === 'string'
    if (form !== FORM || !isPlain || !(party === null || typeof party === 'string') || !isHeaderList(headers))
      return null
    return {
      party,
      model,
      headers,
      storedAtMs,
      epoch,
      body: new Uint8Array(new TextEncoder().encode(text.slice(end + 1))),
    }
  } catch {
    // Somebody else wrote it, or half of it is gone: a miss.
    return null
  }
}

function isHeaderList(value: unknown): value is StoredAnswer['headers'] {
  const isText = (item: unknown) => typeof item === 'string'
  return Array.isArray(value) && value.every((pair) => Array.isArray(pair) && pair.length === 2 && pair.every(isText))
}
