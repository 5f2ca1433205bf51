// Whether a request can only come from this very machine, and not from a page in a browser on it.

/** A host name or address that never leaves the machine. `localhost.` and names below it are not among them. */
export function isLoopbackHost(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/i.test(host)
}

/** Headers that a proxy adds: what it passes on comes from its callers, whatever address it comes from. */
const PROXY_HEADERS = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-port',
  'x-forwarded-server',
  'x-real-ip',
  'x-client-ip',
  'true-client-ip',
  'via',
  'cf-connecting-ip',
] as const

/**
 * Why a request to a port that only this machine reaches may still be somebody else's; null when it is not. A page in a
 * browser reaches that port too: under its own name (DNS rebinding shows in `Host`), or across sites (`Origin`,
 * `Sec-Fetch-Site`).
 */
export function strangeness(header: (name: string) => string | null): string | null {
  const authority = header('host') ?? ''
  const host = /^(.*?)(?::\d*)?$/.exec(authority)?.[1] ?? ''
  if (!isLoopbackHost(host)) return 'its Host header names another host'
  const origin = header('origin')
  if (origin !== null && !isOwnOrigin(origin, authority)) return 'it comes from a page of another origin'
  const site = header('sec-fetch-site')
  if (site !== null && site !== 'same-origin' && site !== 'none') return 'it comes from a page of another site'
  return PROXY_HEADERS.some((name) => header(name) !== null) ? 'it came through a proxy' : null
}

/** Another port of this machine is another program, whose pages are no operators. `serve` speaks plain HTTP. */
function isOwnOrigin(origin: string, authority: string): boolean {
  const own = `http://${authority}`
  return URL.canParse(own) && new URL(own).origin === origin
}
