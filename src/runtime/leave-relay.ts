// A TCP relay in front of a local workerd, for one thing: a client that closes its connection sends FIN, which workerd
// takes for a half-close until it next writes, so a request that has no bytes to write would never learn that its
// client has left. The relay passes the FIN on as a reset. Cloudflare's own edge needs no such help.

import { connect, createServer, type Socket } from 'node:net'

export interface LeaveRelay {
  close(): Promise<void>
}

/** From this size on a chunk is part of an upload, which an early answer may cut short. */
const UPLOAD_CHUNK_BYTES = 16 * 1024

/** Between two chunks of an upload; 64 KiB each make about 20 MB/s, enough for a machine of one's own. */
const UPLOAD_PAUSE_MS = 2

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
    passUpload(client, inner)
    inner.pipe(client)
    client.once('end', () => inner.resetAndDestroy())
    client.once('error', () => inner.resetAndDestroy())
    client.once('close', () => inner.destroy())
    inner.once('error', () => inner.destroy())
    inner.once('close', () => finish(client))
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
function finish(client: Socket): void {
  client.removeAllListeners('data')
  client.resume()
  client.end()
  setTimeout(() => client.destroy(), LINGER_MS).unref()
}

/**
 * Passes on what the client sends. workerd may answer in the middle of an upload and close; a write that finds the
 * connection closed takes the unread answer with it. So uploads go slower than answers come, and the answer is looked for
 * right before each chunk: what is left is a window of microseconds in each pause.
 */
function passUpload(client: Socket, inner: Socket): void {
  const write = (chunk: Buffer) => {
    if (!inner.writable) return
    if (inner.write(chunk)) client.resume()
    else inner.once('drain', () => client.resume())
  }
  client.on('data', (chunk: Buffer) => {
    client.pause()
    if (chunk.length < UPLOAD_CHUNK_BYTES) write(chunk)
    else setTimeout(() => setImmediate(write, chunk), UPLOAD_PAUSE_MS)
  })
}
