// The contract of signals: what rules of decisions can ask about a request. Pure signals answer at once from what the
// request says; those that take a server are facts, fetched before anything is decided.

/** Every family there is, as a condition's `type` names it. */
export const SIGNAL_FAMILIES = [
  'keyword',
  'embedding',
  'domain',
  'fact_check',
  'user_feedback',
  'preference',
  'context',
  'structure',
  'conversation',
  'language',
  'authz',
  'metadata',
] as const

export type SignalFamily = (typeof SIGNAL_FAMILIES)[number]

/** One message as signals see it. */
export interface MessageView {
  /** As the request writes it: `user`, `assistant`, `system`, `developer`, `tool`, or something newer. */
  readonly role: string
  /** Its text parts, joined by a space. */
  readonly text: string
  /** Calls of tools that it asks for. */
  readonly toolCalls: number
  /** Results of tools that it brings. */
  readonly toolResults: number
  readonly images: number
}

/** A request as signals see it: plain values, whatever dialect it came in. */
export interface RequestView {
  /** What is asked: the newest user message, else all that is no user's; of a completion its prompt. */
  readonly text: string
  /** Oldest first; empty for a completion. */
  readonly messages: readonly MessageView[]
  readonly toolDefinitions: number
  /** Every text of the request in bytes of UTF-8, its tools among it. */
  readonly textBytes: number
  /** Text members of the body's `metadata`, which callers choose freely. */
  readonly metadata: Readonly<Record<string, string>>
  /** The tenant whose key it came with; null for callers that are no tenants. */
  readonly tenant: { readonly name: string; readonly metadata: Readonly<Record<string, string>> } | null
  /** A header of the request, by its name in lower case. */
  header(name: string): string | null
}

/** What a signal says for one rule. `unknown` is not `not_matched`: a server was late, or could not be asked. */
export type SignalOutcome =
  | {
      readonly kind: 'matched'
      /** From 0 to 1; families without a measure say 1. */
      readonly confidence: number
      /** What of the request it was, in a few words of the configuration; never text of the caller. */
      readonly because: string
    }
  | {
      readonly kind: 'not_matched'
      readonly because: string
      /** How near it came, where there is a measure. */
      readonly confidence?: number
    }
  | {
      readonly kind: 'unknown'
      /** A word for the record, such as `timeout`, `unreachable`, `bad_answer`, `breaker_open`, `not_asked`. */
      readonly because: string
    }

/** What was found of one rule. */
export interface SignalReading {
  readonly family: SignalFamily
  readonly name: string
  readonly outcome: SignalOutcome
}

/** A rule that the request alone answers. Pure: same request, same outcome, on every runtime. */
export interface EdgeSignal {
  readonly family: SignalFamily
  /** What conditions call it: the rule's name; of `authz` the role, of `language` the language's code. */
  readonly name: string
  read(request: RequestView): SignalOutcome
}

/** Rules that take a server: one source for as many of them as one question answers. */
export interface SignalSource {
  readonly family: SignalFamily
  /** The rules it can answer for, as conditions call them. */
  readonly names: readonly string[]
  /**
   * Asks for those `wanted`. Never rejects: what can't be had is `unknown`, as is every name that is left out. All sources
   * share one time budget; once `signal` fires nobody waits any more.
   */
  ask(request: RequestView, wanted: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, SignalOutcome>>
}

/** How readings are found: a name is unique within its family only. */
export function signalKey({ family, name }: Pick<SignalReading, 'family' | 'name'>): string {
  return `${family}:${name}`
}
