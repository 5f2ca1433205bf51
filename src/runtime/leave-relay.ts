// A TCP relay in front of a local workerd, for one thing: a client that closes its connection sends FIN, which workerd
// takes for a half-close until it next writes, so a request that has no bytes to write would never learn that its
// client has left. The relay passes the FIN on as a reset. Cloudflare's own edge needs no such help.

import { connect, createServer, type Socket } from 'node:net'

export interface LeaveRelay {
  close(): Promise<void>
}

/** How long a client may go on sending after workerd has closed; a reset at once could cost it an early answer. */
const LINGER_MS = 2_000

export interface LeaveRelayOptions {
  readonly host: string
  readonly port: number
  /** Where workerd listens, on the loopback address. */
  readonly targetPort: number
}

/** Rejects when the port can't be had. */
export function startLeaveRelay({ host, port, targetPort }: LeaveRelayOptions): Promise<LeaveRelay> {
  const open = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const inner = connect({ host: '127.0.0.1', port: targetPort, noDelay: true, allowHalfOpen: true })
    for (const socket of [client, inner]) {
      open.add(socket)
      socket.once('close', () => open.delete(socket))
    }
    client.pipe(inner, { end: false })
    inner.pipe(client)
    client.once('end', () => inner.resetAndDestroy())
    client.once('error', () => inner.resetAndDestroy())
    client.once('close', () => inner.destroy())
    inner.once('error', () => inner.destroy())
    inner.once('close', () => finish(client, inner))
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () =>
      resolve({
        close: () =>
          new Promise((closed) => {
            server.close(() => closed())
            for (const socket of open) socket.destroy()
          }),
      }),
    )
  })
}

/** Passes on what workerd said last, then lets the client finish what it is sending without keeping any of it. */
function finish(client: Socket, inner: Socket): void {
  client.unpipe(inner)
  client.resume()
  client.end()
  setTimeout(() => client.destroy(), LINGER_MS).unref()
}
