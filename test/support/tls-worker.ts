// A worker behind TLS whose certificate can be exchanged while it runs, as certificates run out.

import { createServer, type ServerOptions } from 'node:https'
import { freePort } from './launch.ts'
import type { TestCertificate } from './test-certificate.ts'

export interface TlsWorker {
  readonly url: string
  /** POST requests that got through to it. */
  served(): number
  /** Connections that did not get as far as a request. */
  refused(): number
  /** New connections see this certificate; those that are open are closed. */
  useCertificate(certificate: TestCertificate): void
  close(): Promise<void>
}

export async function startTlsWorker(model: string, certificate: TestCertificate): Promise<TlsWorker> {
  let served = 0
  let refused = 0
  const options: ServerOptions = { ...certificate }
  const server = createServer(options, (request, response) => {
    request.resume()
    request.once('end', () => {
      response.setHeader('content-type', 'application/json')
      if (request.method === 'GET') return response.end(JSON.stringify({ object: 'list', data: [{ id: model }] }))
      served += 1
      response.end('{"choices":[{"message":{"content":"over TLS"}}]}')
    })
  })
  server.on('tlsClientError', () => (refused += 1))
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    url: `https://127.0.0.1:${port}`,
    served: () => served,
    refused: () => refused,
    useCertificate(next) {
      server.setSecureContext({ ...next })
      server.closeAllConnections()
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
