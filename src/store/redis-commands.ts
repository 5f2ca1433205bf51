// The contract for a Redis that holds what may be lost: caches and hints. Implementations: runtime/socket-redis.ts over TCP,
// upstream/upstash-redis.ts.

export interface RedisCommands {
  /**
   * The answer to one command: texts, numbers, nulls, and lists of these. Rejects when the server can't be asked, or when
   * it refuses; what it rejects with holds no secret. Where the signal can't call a command off, its answer is not read.
   */
  command(args: readonly string[], signal: AbortSignal): Promise<unknown>
  close(): Promise<void>
}
