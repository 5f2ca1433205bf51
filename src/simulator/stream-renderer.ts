// The contract between what generates and what writes it down: a dialect's renderer turns tokens into events, and the
// sink between the two can stop the generations it hears from.

/** One token of one choice. */
export interface RenderedToken {
  readonly choice: number
  readonly index: number
  readonly id: number
  readonly piece: string
  readonly isLast: boolean
}

/** Writes a stream in one dialect: whole events, separators included. */
export interface StreamRenderer {
  /** Before the engine has done anything. */
  begin(): readonly string[]
  token(token: RenderedToken): readonly string[]
  end(cachedTokens: number): readonly string[]
  /** An error inside the stream, up to its terminator. */
  error(status: number): readonly string[]
  /** What a client takes for the end of the stream. */
  readonly terminator: string
}

/** Generations on their way. */
export interface GenerationsRun {
  readonly cachedTokens: number
  abort(): void
  pause(): void
  resume(): void
}
