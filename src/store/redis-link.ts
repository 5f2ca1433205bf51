// The contract for a Redis server as the stores use it: few commands, each quick to fail. Implementation:
// runtime/redis-client.ts.

export type RedisReply = string | number | null | readonly RedisReply[]

export interface ScriptCall {
  readonly keys: readonly string[]
  readonly args: readonly (string | number)[]
}

/**
 * Every call rejects at once while there is no connection or the server refuses to be listened to, and after a short while
 * without an answer. What it rejects with holds no password.
 */
export interface RedisLink {
  /** The server's clock: what several processes decide by must not depend on theirs. Milliseconds since the epoch. */
  timeMs(): Promise<number>
  get(key: string): Promise<string | null>
  /** Runs a Lua script, which nothing else interrupts. */
  eval(script: string, call: ScriptCall): Promise<RedisReply>
  /** Resolves with the number of those that listen. */
  publish(channel: string, message: string): Promise<number>
  /** Listens until the link is closed, over any number of connections. */
  subscribe(channel: string, onMessage: (message: string) => void): void
  close(): void
}
