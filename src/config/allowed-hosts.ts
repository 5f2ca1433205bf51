// `allowed_worker_hosts` and `allowed_service_hosts`: whether a URL is at an address that an operator listed. Compared as
// parsed, since one address has many spellings (127.1, 0x7f.1, [::ffff:7f00:1], localhost.).

/** What a pattern is made of; null stands for "any". */
interface HostPattern {
  readonly scheme: string | null
  readonly host: string
  /** Null for any, empty for the scheme's own. */
  readonly port: string | null
}

const OWN_PORTS: Readonly<Record<string, string>> = {
  http: '80',
  https: '443',
  redis: '6379',
  rediss: '6379',
  postgres: '5432',
  postgresql: '5432',
}

/**
 * Whether `url` is at one of these `[SCHEME://]HOST[:PORT]`. Without a scheme any may be used; without a port only the
 * scheme's own. A `*` in front of a name stands for any beginning, but never for an address or for this machine; one at
 * the end for the rest of a name's last part, or of an IPv4 address.
 */
export function isAllowedUrl(url: string, patterns: readonly string[]): boolean {
  if (!URL.canParse(url)) return false
  const { protocol, hostname, port } = new URL(url)
  // Drivers of databases take lists of hosts, and the parser lets them through.
  if (!/^[\w.:[\]-]+$/.test(hostname)) return false
  const scheme = protocol.slice(0, -1)
  const target = { scheme, host: hostOf(hostname), port: port === '' ? ownPort(scheme) : port }
  return patterns.map(parsePattern).some((pattern) => covers(pattern, target))
}

interface Target {
  readonly scheme: string
  readonly host: string
  readonly port: string
}

function covers({ scheme, host, port }: HostPattern, target: Target): boolean {
  if (scheme !== null && scheme !== target.scheme) return false
  if (port !== null && (port === '' ? ownPort(target.scheme) : port) !== target.port) return false
  return matchesHost(target.host, host)
}

function ownPort(scheme: string): string {
  return OWN_PORTS[scheme] ?? ''
}

function parsePattern(text: string): HostPattern {
  const [, scheme = null, host = '', port = ''] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*?)(?::(\d+|\*))?$/i.exec(text) ?? []
  const plain = host.includes('*') ? host.toLowerCase() : hostOf(host)
  return { scheme: scheme?.toLowerCase() ?? null, host: plain, port: port === '*' ? null : port }
}

/** As the parser writes hosts of HTTP: of other schemes it takes them as they stand. */
function hostOf(host: string): string {
  return URL.canParse(`http://${host}`) ? toPlainHost(new URL(`http://${host}`).hostname) : host
}

function matchesHost(host: string, pattern: string): boolean {
  if (!pattern.includes('*')) return host === pattern
  if (pattern.startsWith('*')) return !isAddress(host) && !isThisMachine(host) && matchesName(host, pattern)
  const beginning = pattern.slice(0, -1)
  if (!host.startsWith(beginning)) return false
  // `10.0.0.*` must not cover the name 10.0.0.evil.example.
  if (/^[\d.]+$/.test(beginning)) return isIpv4(host)
  return !isAddress(host) && !host.slice(beginning.length).includes('.')
}

/** `*.gpu.internal`, `*` or `*gpu*`: any beginning; a `*` at the end as well stays within the name's last part. */
function matchesName(host: string, pattern: string): boolean {
  const middle = pattern.slice(1)
  if (!middle.endsWith('*')) return host.endsWith(middle)
  const at = host.lastIndexOf(middle.slice(0, -1))
  return at !== -1 && !host.slice(at + middle.length - 1).includes('.')
}

/** Without the dot of a fully qualified name; IPv4 inside IPv6 as the IPv4 address it reaches. */
function toPlainHost(hostname: string): string {
  const host = hostname.toLowerCase().replace(/\.+$/, '')
  return host.startsWith('[') ? (embeddedIpv4(host.slice(1, -1)) ?? host) : host
}

/** IPv4-mapped (RFC 4291), IPv4-compatible, and NAT64 (RFC 6052) addresses, as the URL parser writes them. */
function embeddedIpv4(address: string): string | null {
  const [, high, low] = /^(?:::ffff:|64:ff9b::|::)([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(address) ?? []
  if (high === undefined || low === undefined) return null
  const [upper, lower] = [Number.parseInt(high, 16), Number.parseInt(low, 16)]
  return [upper >> 8, upper & 255, lower >> 8, lower & 255].join('.')
}

function isIpv4(host: string): boolean {
  return /^\d{1,3}(?:\.\d{1,3}){3}$/.test(host)
}

function isAddress(host: string): boolean {
  return isIpv4(host) || host.startsWith('[')
}

function isThisMachine(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost')
}
