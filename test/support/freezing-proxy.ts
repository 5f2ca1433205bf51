// Stands between a client and its server, and can fall silent: connections stay open, and nothing passes any more. That is
// what a server looks like that hangs, or whose machine has gone. Or it breaks off what the server says, as one does that dies.

import { connect, createServer, type Socket } from 'node:net'
import { freePort } from './launch.ts'

export interface FreezingProxy {
  readonly port: number
  /** From now on nothing passes; who connects is taken and never answered. */
  freeze(): void
  /** Ends what is frozen; new connections work. */
  thaw(): void
  /** From now on half of what the server says passes, and the connection ends; until the function returned is called. */
  breakOff(): () => void
  close(): Promise<void>
}

export async function startFreezingProxy(serverPort: number): Promise<FreezingProxy> {
  const sockets = new Set<Socket>()
  let isFrozen = false
  let breaksOff = false
  const server = createServer((client) => {
    const upstream = connect(serverPort, '127.0.0.1')
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one)
      one.on('data', (bytes: Buffer) => {
        if (isFrozen) return
        if (breaksOff && one === upstream) other.end(bytes.subarray(0, bytes.length / 2))
        else other.write(bytes)
      })
      // Either side may be gone already.
      one.on('error', () => {})
      one.on('close', () => {
        sockets.delete(one)
        if (!isFrozen) other.destroy()
      })
    }
  })
  const end = () => {
    for (const socket of sockets) socket.destroy()
  }
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    port,
    freeze() {
      isFrozen = true
    },
    thaw() {
      isFrozen = false
      end()
    },
    breakOff() {
      breaksOff = true
      return () => void (breaksOff = false)
    },
    async close() {
      end()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
