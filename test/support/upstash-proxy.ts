// Redis over HTTP in front of a real Redis, as Upstash's clients speak it: a command as a JSON array, its answer as JSON.

import { createClient } from '@redis/client'
import { createServer } from 'node:http'
import { freePort } from './launch.ts'

export interface UpstashProxy {
  readonly url: string
  readonly token: string
  /** Calls that were answered so far. */
  calls(): number
  close(): Promise<void>
}

export async function startUpstashProxy(redisUrl: string): Promise<UpstashProxy> {
  const token = 'rest-token-0123456789'
  const client = createClient({ url: redisUrl })
  client.on('error', () => {}) // the call that meets it tells
  await client.connect()
  let calls = 0
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const answer = (status: number, body: object) =>
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
      if (request.headers.authorization !== `Bearer ${token}`) return answer(401, { error: 'WRONGPASS invalid token' })
      if (request.method !== 'POST' || request.url !== '/') return answer(404, { error: 'ERR no such path' })
      const command: readonly unknown[] = JSON.parse(Buffer.concat(chunks).toString())
      calls += 1
      client.sendCommand(command.map(String)).then(
        (result) => answer(200, { result }),
        (error: Error) => answer(400, { error: error.message }),
      )
    })
  })
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${port}`,
    token,
    calls: () => calls,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      client.destroy()
    },
  }
}
