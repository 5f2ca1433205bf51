// Refuses request targets that two parsers could read differently. A router that matches one reading while a guard or a
// worker sees another is how access checks get bypassed, so such targets reach no route at all.

import { RouterError } from '../errors/router-error.ts'

/** Model ids hold slashes, and workers are named by URL; no other route has one inside a segment. */
const NAMED_BY_SLASHES = /^\/(?:v1\/models|workers)\//

const UNRESERVED = /^[A-Za-z0-9\-._~]$/

/**
 * Checks the path part of a request target as it came over the wire (or as much of it as the runtime shows). Throws
 * `invalid_path` for dot segments, empty segments, backslashes, broken or needless percent-encodings, control
 * characters, and for `%2F` anywhere but in the id of a model or a worker.
 */
export function checkPath(target: string): void {
  const path = target.split(/[?#]/, 1)[0] ?? ''
  const complaint = findComplaint(path)
  if (complaint !== null) {
    throw new RouterError('invalid_path', `The request path ${complaint}; send the plain form of the path.`)
  }
}

/** A name or address with an optional port (RFC 9110, 7.2). */
const HOST = /^(?:[\w.~-]*|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?$/

/**
 * Throws `invalid_request` for a Host header that holds more than a host and a port. Runtimes put it in front of the
 * path to make a URL, so that a slash or question mark in it would choose the route (CVE-2026-48710).
 */
export function checkHost(host: string | null): void {
  if (host === null || HOST.test(host)) return
  throw new RouterError('invalid_request', 'The Host header is no host name with an optional port.')
}

function findComplaint(path: string): string | null {
  if (path === '') return 'or the Host header can not be read'
  if (!path.startsWith('/')) return 'does not begin with a slash'
  if (path.includes('\\')) return 'has a backslash'
  if (path.includes(';')) return 'has path parameters'
  if (hasForeignCharacter(path)) return 'has characters that must be percent-encoded'
  if (path.includes('%')) {
    const complaint = findEncodingComplaint(path)
    if (complaint !== null) return complaint
  }
  // A worker, or a proxy before it, may take an encoded slash for a plain one.
  const plain = path.includes('%') ? path.replaceAll(/%2f/gi, '/') : path
  // No worker sees a path that names one of them by its URL.
  if ((path.startsWith('/workers/') ? path : plain).includes('//')) return 'has an empty segment'
  return /\/\.\.?(?:\/|$)/.test(plain) ? 'has a dot segment' : null
}

function hasForeignCharacter(path: string): boolean {
  for (let index = 0; index < path.length; index += 1) {
    const code = path.charCodeAt(index)
    if (code <= 0x20 || code >= 0x7f) return true
  }
  return false
}

function findEncodingComplaint(path: string): string | null {
  for (const [escape] of path.matchAll(/%.{0,2}/g)) {
    if (!/^%[0-9A-Fa-f]{2}$/.test(escape)) return 'has a broken percent-encoding'
    const code = Number.parseInt(escape.slice(1), 16)
    if (code <= 0x20 || code === 0x7f) return 'has an encoded control character'
    const character = String.fromCharCode(code)
    if (UNRESERVED.test(character)) return 'encodes a character that needs no encoding'
    if (character === '%' || character === '\\') return 'encodes a percent sign or backslash'
    if (character === '/' && !NAMED_BY_SLASHES.test(path)) return 'encodes a slash'
  }
  try {
    decodeURIComponent(path)
    return null
  } catch {
    // The escapes are well formed, so what can't be decoded is a byte sequence that is no UTF-8.
    return 'has a percent-encoding that is not UTF-8'
  }
}
