// Checks on callers that no single field can make: keys that are no keys or belong to two, entries of one tenant that
// disagree, and settings that can have no effect.

import { digestOfKey } from '../access/key-digest.ts'
import { coversModel } from '../access/model-access.ts'
import { canBeKey, NO_KEYS } from '../access/offered-keys.ts'
import type { CrossCheckInput } from './cross-checks.ts'
import { errorAt, formatPath, warningAt, type Path, type Problem } from './finding.ts'
import { listedModels } from './model-rule-checks.ts'

type File = CrossCheckInput['file']
type TenantEntry = NonNullable<NonNullable<File['api_keys']>[number]>

/** Checks everything that says who may call. */
export function checkCallers(input: CrossCheckInput): Problem[] {
  const { file } = input
  return [
    ...noAnonymous(file),
    ...noKeys(file),
    ...repeatedKeys(file),
    ...disagreements(file),
    ...misplacedStars(file),
    ...unservedModels(input),
    ...idleWeights(file),
    ...unsharedPlaces(file),
    ...keyServices(file),
  ]
}

function noAnonymous(file: File): Problem[] {
  const { inbound_api_key: inbound, api_keys: tenants = [], api_key_validation_urls: urls = [] } = file
  if (file.allow_anonymous !== true) return []
  const wanting = [
    ...(inbound === undefined ? [] : ['inbound_api_key']),
    ...(tenants.length === 0 ? [] : ['api_keys']),
    ...(urls.length === 0 ? [] : ['api_key_validation_urls']),
  ]
  if (wanting.length === 0) return []
  return [warningAt(['allow_anonymous'], `has no effect: ${wanting.join(' and ')} is set, so callers need that key`)]
}

interface PlacedKey {
  readonly path: Path
  /** Null for the key that is nobody's own. */
  readonly tenant: string | null
  /** Null where only the digest is written. */
  readonly key: string | null
  readonly digest: string
}

function keysOf({ inbound_api_key: inbound, api_keys: tenants = [] }: File): PlacedKey[] {
  const shared = inbound === undefined ? [] : [placed(['inbound_api_key'], null, inbound)]
  const own = tenants.flatMap((entry, index): PlacedKey[] => {
    const { key, key_sha256: sha256, name: tenant = '' } = entry ?? {}
    if (key !== undefined) return [placed(['api_keys', index, 'key'], tenant, key)]
    if (sha256 === undefined) return []
    return [{ path: ['api_keys', index, 'key_sha256'], tenant, key: null, digest: sha256.toLowerCase() }]
  })
  return [...shared, ...own]
}

function placed(path: Path, tenant: string | null, key: string): PlacedKey {
  return { path, tenant, key, digest: digestOfKey(key) }
}

/** What comes out when the key was missing where the digest was made. */
const NOTHING = ['', '\n', ...NO_KEYS]

function noKeys(file: File): Problem[] {
  const digestsOfNothing = new Set(NOTHING.map(digestOfKey))
  return keysOf(file).flatMap(({ path, key, digest }) => {
    if (digestsOfNothing.has(digest)) {
      const what = key === null ? 'is the SHA-256 of no key' : 'is what programs send that have no key'
      return [errorAt(path, `${what}; callers with it are always refused`)]
    }
    return key === null || canBeKey(key) ? [] : [errorAt(path, 'is longer than a header can carry')]
  })
}

function repeatedKeys(file: File): Problem[] {
  const first = new Map<string, PlacedKey>()
  return keysOf(file).flatMap((each) => {
    const earlier = first.get(each.digest)
    if (earlier === undefined) {
      first.set(each.digest, each)
      return []
    }
    const where = formatPath(earlier.path)
    if (earlier.tenant === each.tenant) return [warningAt(each.path, `is the same key as ${where}; it counts once`)]
    return [errorAt(each.path, `is the same key as ${where}; whose would it be?`)]
  })
}

/** Everything but the key. */
const TENANT_FIELDS = [
  'rate_limit_rps',
  'max_concurrent',
  'tokens_per_minute',
  'allowed_models',
  'enabled',
  'weight',
  'metadata',
] as const satisfies readonly (keyof TenantEntry)[]

/** Entries of one name are keys of one tenant, so they can't say two things about it. */
function disagreements({ api_keys: tenants = [] }: File): Problem[] {
  return tenants.flatMap((entry, index) => {
    const firstIndex = tenants.findIndex((other) => other?.name !== undefined && other.name === entry?.name)
    const first = tenants[firstIndex]
    if (entry === undefined || first === undefined || firstIndex === index) return []
    return TENANT_FIELDS.flatMap((field) => {
      // What was refused has its own error.
      if (entry[field] === undefined || first[field] === undefined) return []
      if (JSON.stringify(entry[field]) === JSON.stringify(first[field])) return []
      const message = `differs from ${formatPath(['api_keys', firstIndex])}, a key of the same tenant "${entry.name}"`
      return [errorAt(['api_keys', index, field], `${message}; entries of one name agree in all but their key`)]
    })
  })
}

function eachModel<Found>({ api_keys: tenants = [] }: File, look: (model: string, path: Path) => Found[]): Found[] {
  return tenants.flatMap((entry, index) =>
    (entry?.allowed_models ?? []).flatMap((model, at) => {
      return model === undefined ? [] : look(model, ['api_keys', index, 'allowed_models', at])
    }),
  )
}

function misplacedStars(file: File): Problem[] {
  return eachModel(file, (model, path) => {
    if (!model.slice(0, -1).includes('*')) return []
    return [errorAt(path, 'has a * before its end; a name is matched exactly, or by its beginning and a * at the end')]
  })
}

function unservedModels(input: CrossCheckInput): Problem[] {
  const served = listedModels(input)
  const { file } = input
  const rules = (file.model_rules ?? []).map((rule) => rule?.match)
  // A rule that was refused, or takes many names, may lead this one somewhere.
  if (served === null || rules.some((match) => match === undefined || match.endsWith('*'))) return []
  const isDecided = (file.routing?.decisions ?? file.decisions ?? []).length > 0
  // Names that ask the router to choose are asked for, too, though nobody serves them.
  const auto = isDecided ? (file.auto_models ?? ['auto']) : []
  const names = [...served, ...[...rules, ...auto].filter((name) => name !== undefined)]
  return eachModel(file, (model, path) => {
    if (names.some((name) => coversModel([model], name))) return []
    return [warningAt(path, `covers nothing: no worker lists such a model, and no rule takes such a name`)]
  })
}

function idleWeights({ api_keys: tenants = [], max_concurrent_requests: limit }: File): Problem[] {
  if (limit !== null) return []
  return tenants.flatMap((entry, index) => {
    if (entry?.weight === undefined || entry.weight === 1) return []
    const message = 'has no effect without max_concurrent_requests: a router that is never full has no shares'
    return [warningAt(['api_keys', index, 'weight'], message)]
  })
}

/** Without a queue a place goes to whoever comes first, and so to whoever asks most. */
function unsharedPlaces(file: File): Problem[] {
  const { api_keys: tenants = [], max_concurrent_requests: limit, queue_size: queueSize } = file
  if (queueSize !== 0 || limit === undefined || limit === null) return []
  const names = new Set(tenants.map((entry) => entry?.name))
  if (names.size < 2) return []
  return [warningAt(['queue_size'], 'is 0, so tenants do not share a full router: places go to who asks most for them')]
}

function keyServices({ api_key_validation_urls: urls = [], api_key_validation: settings = {} }: File): Problem[] {
  const repeated = urls.flatMap((url, index) => {
    const first = url === undefined ? index : urls.indexOf(url)
    if (first === index) return []
    return [
      warningAt(['api_key_validation_urls', index], `repeats api_key_validation_urls[${first}]; it is asked once`),
    ]
  })
  const { ttl_secs: ttl = 0, stale_secs: stale = Infinity, on_outage: onOutage } = settings
  if (onOutage !== 'stale' || stale > ttl) return repeated
  const message = 'is no longer than ttl_secs, so on_outage: stale lets nobody in whom refuse would not'
  return [...repeated, warningAt(['api_key_validation', 'stale_secs'], message)]
}
