// Callers of a soak: chats, streams and embeddings at a steady rate, some of whom leave in the middle.

import { send } from '../../test/support/http-client.ts'

export const SOAK_MODEL = 'soak-model'

/** What became of requests, by word; `left` are those whose callers went away. */
export type Outcomes = Map<string, number>

export interface Traffic {
  readonly outcomes: Outcomes
  /** Sends no more, and resolves once all have ended. */
  stop(): Promise<void>
}

const KINDS = ['chat', 'stream', 'embeddings', 'stream', 'chat'] as const

/** One in so many callers leaves. */
const LEAVES_EVERY = 7

/** A request that takes longer hangs. */
const LIMIT_MS = 60_000

export function startTraffic(url: string, requestsPerSecond: number): Traffic {
  const outcomes: Outcomes = new Map()
  const running = new Set<Promise<void>>()
  let turn = 0
  async function note(word: Promise<string>): Promise<void> {
    outcomes.set(await word, (outcomes.get(await word) ?? 0) + 1)
  }
  const timer = setInterval(() => {
    turn += 1
    const kind = KINDS[turn % KINDS.length] ?? 'chat'
    const one = note(ask(url, kind, turn % LEAVES_EVERY === 0)).finally(() => running.delete(one))
    running.add(one)
  }, 1_000 / requestsPerSecond)
  return {
    outcomes,
    async stop() {
      clearInterval(timer)
      await Promise.all(running)
    },
  }
}

async function ask(url: string, kind: (typeof KINDS)[number], leaves: boolean): Promise<string> {
  const isChat = kind !== 'embeddings'
  const messages = [{ role: 'user', content: `tell me something ${Math.random()}` }]
  const body = isChat
    ? { model: SOAK_MODEL, messages, stream: kind === 'stream', max_tokens: 16 }
    : { model: SOAK_MODEL, input: 'a text' }
  const sent = send(`${url}/v1/${isChat ? 'chat/completions' : 'embeddings'}`, body)
  const timer = setTimeout(() => sent.leave('reset'), LIMIT_MS)
  let hasLeft = false
  try {
    const reply = await sent.reply
    if (leaves) {
      await reply.next()
      hasLeft = true
      sent.leave(Math.random() < 0.5 ? 'close' : 'reset')
      return 'left'
    }
    const text = (await reply.rest()).toString()
    if (reply.status !== 200) return `status ${reply.status}`
    if (kind === 'stream')
      return text.includes('data: [DONE]') ? 'whole' : text.includes('"error"') ? 'cut, told' : 'cut'
    return 'whole'
  } catch {
    return hasLeft ? 'left' : 'broken'
  } finally {
    clearTimeout(timer)
  }
}
