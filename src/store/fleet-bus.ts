// Questions of one process to another over Redis, and their answers: each process has a channel. Nothing is kept there, so a
// question to a process that is gone fails at once, and an answer that is lost is missed after a while.

import { fromFleetJson, toFleetJson } from './fleet-json.ts'
import type { HolderReport } from './fleet-store.ts'
import type { PurgeScope } from './purge-log.ts'
import type { RedisLink } from './redis-link.ts'

/** What processes ask their leader; `hello` only whether it answers. */
export type FleetQuestion =
  | { readonly op: 'hello' }
  | { readonly op: 'sync'; readonly report: HolderReport }
  | { readonly op: 'drain'; readonly workerId: string; readonly deadlineMs: number }
  | { readonly op: 'undrain'; readonly workerId: string }
  | { readonly op: 'purge'; readonly scope: PurgeScope }

/** What the leader says; `term` tells its words from those of a leader that does not know that it is none any more. */
export interface FleetAnswer {
  readonly term: number
  readonly value: unknown
}

interface QuestionMessage {
  readonly kind: 'question'
  readonly id: number
  readonly from: string
  /** By the clock of whoever asks. */
  readonly sentAtMs: number
  readonly question: FleetQuestion
}

type Message = QuestionMessage | { readonly kind: 'answer'; readonly id: number; readonly answer: FleetAnswer }

export interface FleetBusOptions {
  readonly link: RedisLink
  readonly keyPrefix: string
  /** Random name of this process. */
  readonly name: string
  now(): number
  after(delayMs: number, task: () => void): () => void
  /** Answers a question of another process; null from one that does not lead, which then says nothing. */
  answer(question: FleetQuestion, from: string): Promise<FleetAnswer | null>
}

interface Pending {
  resolve(answer: FleetAnswer): void
}

export class FleetBus {
  readonly #options: FleetBusOptions
  readonly #pending = new Map<number, Pending>()
  #lastId = 0

  constructor(options: FleetBusOptions) {
    this.#options = options
    options.link.subscribe(this.#channel(options.name), (text) => this.#receive(text))
  }

  /** Rejects when nobody of that name listens, or does not answer in time. */
  async ask(leader: string, question: FleetQuestion, limitMs: number): Promise<FleetAnswer> {
    this.#lastId += 1
    const id = this.#lastId
    let callOff = () => {}
    const answered = new Promise<FleetAnswer>((resolve, reject) => {
      this.#pending.set(id, { resolve })
      callOff = this.#options.after(limitMs, () => reject(new Error(`no answer of the leader within ${limitMs} ms`)))
    })
    // Nobody waits for it yet while the question is on its way.
    answered.catch(() => {})
    try {
      const listeners = await this.#send(leader, this.#toMessage(id, question))
      if (listeners === 0) throw new Error('the leader of the fleet is gone')
      return await answered
    } finally {
      callOff()
      this.#pending.delete(id)
    }
  }

  #toMessage(id: number, question: FleetQuestion): QuestionMessage {
    const { name, now } = this.#options
    return { kind: 'question', id, from: name, sentAtMs: now(), question }
  }

  #receive(text: string): void {
    const message = toMessage(text)
    if (message?.kind === 'answer') this.#pending.get(message.id)?.resolve(message.answer)
    else if (message?.kind === 'question') void this.#answer(message).catch(() => {})
  }

  /** A question that can't be answered is not: whoever asked does without, and asks again. */
  async #answer({ id, from, sentAtMs, question }: QuestionMessage): Promise<void> {
    const { answer: answerTo, now } = this.#options
    const answer = await answerTo(inOwnTime(question, now() - sentAtMs), from)
    if (answer !== null) await this.#send(from, { kind: 'answer', id, answer })
  }

  #send(to: string, message: Message): Promise<number> {
    return this.#options.link.publish(this.#channel(to), toFleetJson(message))
  }

  #channel(process: string): string {
    return `${this.#options.keyPrefix}:inbox:${process}`
  }
}

/** Times of a question by the clock of whoever reads it: clocks of machines may be seconds apart. */
function inOwnTime(question: FleetQuestion, aheadMs: number): FleetQuestion {
  switch (question.op) {
    case 'sync': {
      const { report } = question
      const unreachable = report.unreachable.map(({ workerId, atMs }) => ({ workerId, atMs: atMs + aheadMs }))
      return { ...question, report: { ...report, unreachable } }
    }
    case 'drain':
      return { ...question, deadlineMs: question.deadlineMs + aheadMs }
    default:
      return question
  }
}

/** Null for what no router wrote: whoever can reach the Redis must not be able to end a router by it. */
function toMessage(text: string): Message | null {
  try {
    // Nobody but routers of this fleet has a reason to write there.
    return fromFleetJson(text) as Message | null
  } catch {
    return null
  }
}
