// The modules of this package that bring Router Replay a backend on Workers, for whoever writes an entry.

export const REPLAY_STORE_MODULES = {
  redis: { name: 'redisReplays', module: 'cloudflare-redis' },
  postgres: { name: 'postgresReplays', module: 'cloudflare-postgres' },
} as const
