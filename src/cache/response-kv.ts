// Answers in Workers KV. Reads elsewhere lag behind writes by up to a minute, and so do purges; nothing lives shorter there
// than a minute, so younger ends are judged by age.
// https://developers.cloudflare.com/kv/concepts/how-kv-works/#consistency
// Keys: `exact:<key>`, a text with an expiry; `purges`, marks as JSON.

import {
  epochOf,
  type Lookup,
  MAX_MARKS,
  markOf,
  marksOf,
  type Partition,
  type RemoteResponseStore,
  type StoredAnswer,
} from './response-store.ts'
import type { PurgeScope } from '../store/purge-log.ts'
import { parseStoredText, toStoredText } from './stored-text.ts'

/** What is used of a KV namespace. */
export interface TextNamespace {
  get(key: string): Promise<string | null>
  put(key: string, value: string, options?: { readonly expirationTtl: number }): Promise<void>
  delete(key: string): Promise<void>
}

export interface KvResponseOptions {
  readonly namespace: TextNamespace
  readonly ttlMs: number
  now(): number
  /** Ids of purges: no two alike, whoever makes them. */
  randomId(): string
}

type Marks = Readonly<Record<string, string>>

const PURGES = 'purges'
const LEAST_TTL_SECONDS = 60

/** KV itself lags by more than this. */
const MARKS_MS = 2_000

export class KvResponseStore implements RemoteResponseStore {
  readonly backend = 'kv'
  readonly #options: KvResponseOptions
  #known: { readonly marks: Marks; readonly readAtMs: number } | null = null

  constructor(options: KvResponseOptions) {
    this.#options = options
  }

  async find(key: string, partition: Partition): Promise<Lookup> {
    const [text, marks] = await Promise.all([this.#options.namespace.get(keyOf(key)), this.#marks()])
    const epoch = epochOf(marksOf(partition).map((mark) => (Object.hasOwn(marks, mark) ? marks[mark] : null)))
    const answer = text === null ? null : parseStoredText(text)
    return { answer: answer?.epoch === epoch ? answer : null, epoch }
  }

  async put(key: string, answer: StoredAnswer): Promise<void> {
    const { namespace, ttlMs } = this.#options
    const text = toStoredText(answer)
    if (text === null) return
    await namespace.put(keyOf(key), text, { expirationTtl: Math.max(LEAST_TTL_SECONDS, Math.ceil(ttlMs / 1000)) })
  }

  async purge(scope: PurgeScope): Promise<void> {
    const { namespace, now, randomId } = this.#options
    const mark = markOf(scope)
    if (mark === null) return namespace.delete(keyOf(scope.kind === 'key' ? scope.name : ''))
    const marks = readMarks(await namespace.get(PURGES))
    const isFull = Object.keys(marks).length >= MAX_MARKS
    const next = isFull ? { all: randomId() } : { ...marks, [mark]: randomId() }
    await namespace.put(PURGES, JSON.stringify(next))
    this.#known = { marks: next, readAtMs: now() }
  }

  async #marks(): Promise<Marks> {
    const { namespace, now } = this.#options
    if (this.#known !== null && now() - this.#known.readAtMs < MARKS_MS) return this.#known.marks
    const marks = readMarks(await namespace.get(PURGES))
    this.#known = { marks, readAtMs: now() }
    return marks
  }
}

function keyOf(key: string): string {
  return `exact:${key}`
}

function readMarks(text: string | null): Marks {
  const value: unknown = text === null ? {} : JSON.parse(text)
  if (typeof value !== 'object' || value === null) throw new Error('the marks of purges are no map')
  return Object.fromEntries(
    Object.entries(value).flatMap(([mark, id]) => (typeof id === 'string' ? [[mark, id] as const] : [])),
  )
}
