// Checks on `router_replay` that no single field can make: that its backend can be had here, and is told how to connect.

import type { CrossCheckInput } from './cross-checks.ts'
import { errorAt, type Problem, warningAt } from './finding.ts'
import { REPLAY_BACKENDS, type ReplayBackend } from './router-replay-schema.ts'

/** What a runtime has for Router Replay to keep records in. */
export interface ReplayPlatform {
  /** By backend, why it can't be had; those that can are not there. */
  readonly missing: Readonly<Partial<Record<ReplayBackend, string>>>
  /** Whether `redis.url` can be reached, which takes sockets. */
  readonly hasSockets: boolean
  /** Names of the Hyperdrive bindings; null where no such thing exists. */
  readonly hyperdrives: readonly string[] | null
}

type ReplaySection = NonNullable<CrossCheckInput['file']['router_replay']>

export function checkRouterReplay({
  file,
  replayPlatform,
}: Pick<CrossCheckInput, 'file' | 'replayPlatform'>): Problem[] {
  const { router_replay: section } = file
  if (section?.store_backend === undefined || !(section.enabled === true || hasPlugin(file))) return []
  return [
    ...unavailable(section.store_backend, replayPlatform),
    ...unused(section, section.store_backend),
    ...(section.store_backend === 'redis' ? checkRedis(section, replayPlatform) : []),
    ...(section.store_backend === 'postgres' ? checkPostgres(section, replayPlatform) : []),
  ]
}

/** Whether a decision switches it on for its own requests. */
function hasPlugin({ routing, decisions = [] }: CrossCheckInput['file']): boolean {
  return (routing?.decisions ?? decisions).some((decision) => {
    const plugin = decision?.plugins?.find((each) => each?.type === 'router_replay')
    return plugin !== undefined && plugin.configuration?.enabled !== false
  })
}

function unavailable(backend: ReplayBackend, platform: ReplayPlatform | null): Problem[] {
  const why = platform?.missing[backend]
  if (platform === null || why === undefined) return []
  const others = REPLAY_BACKENDS.filter((name) => platform.missing[name] === undefined)
  return [errorAt([SECTION, 'store_backend'], `${backend} can't be had here: ${why}; use ${others.join(', ')}`)]
}

const SECTION = 'router_replay'
const CONNECTIONS = ['redis', 'postgres', 'r2'] as const

function unused(section: ReplaySection, backend: ReplayBackend): Problem[] {
  return CONNECTIONS.filter((name) => section[name] !== undefined && name !== backend).map((name) => ({
    ...warningAt([SECTION, name], `is not used: store_backend is ${backend}`),
    atKey: true,
  }))
}

function checkRedis({ redis }: ReplaySection, platform: ReplayPlatform | null): Problem[] {
  const path = [SECTION, 'redis']
  if (redis === undefined) return [missing('redis', '{url: "redis://10.0.0.9:6379"}, or {rest_url: ..., token: ...}')]
  const { url, rest_url: restUrl, token, tls_skip_verify: skipsVerification } = redis
  // One that was refused has a problem already.
  if (!('url' in redis) && !('rest_url' in redis)) return [errorAt(path, 'needs a url, or a rest_url with its token')]
  if (url !== undefined && restUrl !== undefined) {
    return [errorAt([...path, 'rest_url'], 'stands beside url; which of the two is it?')]
  }
  if (skipsVerification === true && url?.startsWith('rediss://') !== true) {
    return [errorAt([...path, 'tls_skip_verify'], 'is about certificates: it needs a url that begins with rediss://')]
  }
  if (restUrl !== undefined && token === undefined && !('token' in redis)) {
    return [errorAt([...path, 'rest_url'], 'needs a token beside it')]
  }
  if (url === undefined || platform === null || platform.hasSockets) return []
  return [errorAt([...path, 'url'], "can't be reached from a Worker, which speaks HTTP; write rest_url and token")]
}

function checkPostgres({ postgres }: ReplaySection, platform: ReplayPlatform | null): Problem[] {
  const path = [SECTION, 'postgres']
  if (postgres === undefined) return [missing('postgres', '{url: "postgres://user:password@10.0.0.9:5432/database"}')]
  const { url, hyperdrive_binding: binding } = postgres
  if (!('url' in postgres) && !('hyperdrive_binding' in postgres)) {
    return [errorAt(path, 'needs a url, or on Workers a hyperdrive_binding')]
  }
  if (url !== undefined && binding !== undefined) {
    return [errorAt([...path, 'hyperdrive_binding'], 'stands beside url; which of the two is it?')]
  }
  if (binding === undefined || platform === null) return []
  const { hyperdrives } = platform
  if (hyperdrives === null) {
    return [errorAt([...path, 'hyperdrive_binding'], 'names a binding, and only Workers have any; write url')]
  }
  if (hyperdrives.includes(binding)) return []
  const known = hyperdrives.length === 0 ? 'there is none' : `there are ${hyperdrives.join(', ')}`
  return [errorAt([...path, 'hyperdrive_binding'], `no Hyperdrive binding is called "${binding}"; ${known}`)]
}

function missing(name: 'redis' | 'postgres', example: string): Problem {
  return errorAt([SECTION, 'store_backend'], `${name} needs a section beside it: ${name}: ${example}`)
}
