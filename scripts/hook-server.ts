// An example of a hook service, to run and to copy from: `/safety` rejects by a word list, `/mask` hides e-mail
// addresses and card numbers. The protocol is in docs/hooks.md. `node scripts/hook-server.ts --port 9001`

import { createServer, type IncomingMessage } from 'node:http'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

export interface HookService {
  readonly url: string
  close(): Promise<void>
}

type Answer =
  | { readonly action: 'allow' }
  | { readonly action: 'reject'; readonly reason: string }
  | { readonly action: 'transform'; readonly body: unknown }

const REFUSED_PHRASES = ['build a bomb', 'stolen credit card', 'make a nerve agent']

/** Fields of requests that hold what a person wrote; images, tool schemas and ids are left alone. */
const TEXT_FIELDS: ReadonlySet<string> = new Set(['content', 'text', 'prompt', 'input', 'system', 'instructions'])

const EMAIL_ADDRESS = /[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g
const CARD_NUMBER = /\b\d(?:[ -]?\d){12,18}\b/g

/** Longer bodies are cut off by the router's own limits; this is only against a caller that is no router. */
const MAX_BODY_BYTES = 64 * 1024 * 1024

export async function startHookService(options: {
  readonly port: number
  readonly host?: string
}): Promise<HookService> {
  const { port, host = '127.0.0.1' } = options
  const server = createServer((request, response) => {
    answerTo(request).then(
      (answer) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer)),
      (error: unknown) => response.writeHead(400).end(String(error)),
    )
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  const address = server.address()
  const taken = typeof address === 'object' && address !== null ? address.port : port
  return {
    url: `http://${host}:${taken}`,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function answerTo(request: IncomingMessage): Promise<Answer> {
  const text = await readText(request)
  // A form or a request without a body comes as metadata: there is no text to judge. A stricter service would reject.
  if (request.headers['x-vllm-router-hook-input'] === 'metadata') return { action: 'allow' }
  const body = parse(text)
  // What can't be judged is rejected, not failed: failures would open the breaker and let the next request pass unchecked.
  if (body === null) return { action: 'reject', reason: 'The body is no JSON.' }
  switch (request.url) {
    case '/safety':
      return judge(body)
    case '/mask':
      return mask(body)
    default:
      throw new Error('POST to /safety or /mask')
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Rejects what mentions a phrase of the list. A real service would ask a classifier. */
export function judge(body: unknown): Answer {
  const texts: string[] = []
  mapTexts(body, (text) => {
    texts.push(text.toLowerCase())
    return text
  })
  const isRefused = texts.some((text) => REFUSED_PHRASES.some((phrase) => text.includes(phrase)))
  return isRefused ? { action: 'reject', reason: 'The prompt asks for something unsafe.' } : { action: 'allow' }
}

/** Hides e-mail addresses and card numbers. Whole numbers beyond 2^53 would need a parser that keeps their text. */
export function mask(body: unknown): Answer {
  let isChanged = false
  const masked = mapTexts(body, (text) => {
    const hidden = text
      .replace(EMAIL_ADDRESS, '[email]')
      .replace(CARD_NUMBER, (digits) => (hasCheckDigit(digits) ? '[card]' : digits))
    if (hidden !== text) isChanged = true
    return hidden
  })
  return isChanged ? { action: 'transform', body: masked } : { action: 'allow' }
}

/** The value with every text a person wrote replaced by what `change` makes of it. */
function mapTexts(value: unknown, change: (text: string) => string, field = ''): unknown {
  if (typeof value === 'string') return TEXT_FIELDS.has(field) ? change(value) : value
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, change, field))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTexts(item, change, key)]))
}

/** Whether the last digit is the one that the others call for (Luhn), as on every payment card. */
function hasCheckDigit(digits: string): boolean {
  const sum = [...digits.replaceAll(/\D/g, '')].toReversed().reduce((total, digit, index) => {
    const value = Number(digit) * (index % 2 === 0 ? 1 : 2)
    return total + (value > 9 ? value - 9 : value)
  }, 0)
  return sum % 10 === 0
}

async function readText(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of request as AsyncIterable<Buffer>) {
    size += piece.length
    if (size > MAX_BODY_BYTES) throw new Error('the body is too large')
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString()
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { port: { type: 'string', default: '9001' }, host: { type: 'string', default: '127.0.0.1' } },
  })
  const service = await startHookService({ port: Number(values.port), host: values.host })
  process.stdout.write(`hooks listening on ${service.url}/safety and ${service.url}/mask\n`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main().catch((error: unknown) => {
    process.stderr.write(`hook-server: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  })
}
