// The network that a local workerd reaches workers over. Miniflare puts a Worker of its own before the global `fetch`, for
// headers and images that nobody here wants: a tenth of a millisecond a request. A binding to the network goes past it.

import { readFileSync } from 'node:fs'
import { rootCertificates } from 'node:tls'

/** Any address, as for the global `fetch`; 240.0.0.0/4 is neither public nor private, and some clusters use it. */
const REACHED = ['public', 'private', '240.0.0.0/4']

/** The binding that `outgoing` sends requests through. */
export function networkBinding() {
  const tlsOptions = { trustBrowserCas: true, trustedCertificates: trustedCertificates() }
  return { network: { allow: REACHED, deny: [], tlsOptions } }
}

/** Beyond those that workerd finds by itself, which it doesn't on Windows. */
function trustedCertificates(): string[] {
  const found = process.platform === 'win32' ? rootCertificates : []
  return [...found, ...extraCertificates(process.env['NODE_EXTRA_CA_CERTS'] ?? '')]
}

/** Node itself warns of a file that can't be read, and goes on without. */
function extraCertificates(path: string): readonly string[] {
  if (path === '') return []
  try {
    return readFileSync(path, 'utf8').match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? []
  } catch {
    // As said above.
    return []
  }
}
