// Who a request is from, by the keys it offers: a tenant, a caller with the shared key, one whose key a service accepts,
// or anybody where no key is wanted.

import { digestOfKey } from '../access/key-digest.ts'
import { createKeyring } from '../access/keyring.ts'
import { offeredKeys } from '../access/offered-keys.ts'
import type { AdminKey, Config, TenantConfig } from '../config/config.ts'
import type { Platform } from '../platform.ts'
import { type KeyCheck, type KeyServiceFailure, KeyValidation, type KeyVerdict } from './key-validation.ts'

export type Caller =
  /** May go on; `tenant` is null for callers that are nobody's in particular, `keyDigest` there if a service knows it. */
  | { readonly kind: 'known'; readonly tenant: TenantConfig | null; readonly keyDigest?: string }
  | { readonly kind: 'disabled'; readonly tenant: TenantConfig }
  /** No key, or none that is good. */
  | { readonly kind: 'stranger' }
  /** Its key can't be checked at the moment. */
  | { readonly kind: 'unchecked' }
  | { readonly kind: 'gone' }

export interface Callers {
  /** At once, unless a service has to be asked. Never rejects. */
  identify(headers: Headers, request: KeyCheck): Caller | Promise<Caller>
  /** Null where no service is asked. */
  readonly validation: KeyValidation | null
}

type AccessConfig = Pick<Config, 'inboundKeyDigest' | 'tenants' | 'keyValidation'>

interface CallersConfig extends AccessConfig {
  readonly adminKeys: readonly Pick<AdminKey, 'keyDigest'>[]
}

export interface CallersOptions {
  readonly config: CallersConfig
  readonly platform: Pick<Platform, 'now' | 'after' | 'send' | 'classifySendError'>
  onKeyServiceFailure(failure: KeyServiceFailure): void
  /** Those of the configuration before: what services said stays known while it is the same services. */
  readonly earlier?: Callers | undefined
}

const ANYBODY: Caller = { kind: 'known', tenant: null }
const STRANGER: Caller = { kind: 'stranger' }

const CALLER_BY_VERDICT: Readonly<Record<Exclude<KeyVerdict, 'accepted'>, Caller>> = {
  refused: STRANGER,
  unknown: { kind: 'unchecked' },
  called_off: { kind: 'gone' },
}

/**
 * Whose the responses are that a caller stores: its tenant's; its key's where only a service knows who it is; and null
 * for all those together that have one key in common, or need none. Names of tenants hold no colon.
 */
export function partyOf({ tenant, keyDigest }: Extract<Caller, { readonly kind: 'known' }>): string | null {
  return tenant?.name ?? (keyDigest === undefined ? null : `key:${keyDigest}`)
}

/** Whether callers need a key at all. */
export function wantsKeys({ inboundKeyDigest, tenants, keyValidation }: AccessConfig): boolean {
  return inboundKeyDigest !== null || tenants.length > 0 || keyValidation !== null
}

/** Lives until the configuration changes. */
export function createCallers(options: CallersOptions): Callers {
  const { config } = options
  if (!wantsKeys(config)) return { identify: () => ANYBODY, validation: null }
  const keyring = createKeyring(config.tenants, config.inboundKeyDigest)
  const validation = validationOf(options)
  // No service gets to see one of these, nor to make it a key for inference.
  const adminDigests = new Set(config.adminKeys.map(({ keyDigest }) => keyDigest))
  return {
    validation,
    identify(headers, request) {
      const keys = offeredKeys((name) => headers.get(name))
      const digests = keys.map(digestOfKey)
      const owner = keyring.find(digests)
      if (owner?.kind === 'shared') return ANYBODY
      if (owner !== null) return { kind: owner.tenant.isEnabled ? 'known' : 'disabled', tenant: owner.tenant }
      if (validation === null) return STRANGER
      const asked = keys.flatMap((key, at) => {
        const keyDigest = digests[at] ?? ''
        return adminDigests.has(keyDigest) ? [] : [{ keyDigest, verdict: validation.check(key, keyDigest, request) }]
      })
      return asked.length === 0 ? STRANGER : bestOf(asked)
    },
  }
}

function validationOf({ config, platform, onKeyServiceFailure, earlier }: CallersOptions): KeyValidation | null {
  const { keyValidation: settings } = config
  if (settings === null) return null
  const before = earlier?.validation ?? null
  if (before !== null && JSON.stringify(before.settings) === JSON.stringify(settings)) return before
  return new KeyValidation({ settings, platform, onFailure: onKeyServiceFailure })
}

interface AskedKey<Verdict> {
  readonly keyDigest: string
  readonly verdict: Verdict
}

/** A good key among several counts, the first of them; a refusal only when all of them are refused. */
function bestOf(asked: readonly AskedKey<KeyVerdict | Promise<KeyVerdict>>[]): Caller | Promise<Caller> {
  const known = asked.flatMap(({ keyDigest, verdict }) => (typeof verdict === 'string' ? [{ keyDigest, verdict }] : []))
  if (known.length === asked.length || known.some(({ verdict }) => verdict === 'accepted')) return bestOfKnown(known)
  return Promise.all(asked.map(async ({ keyDigest, verdict }) => ({ keyDigest, verdict: await verdict }))).then(
    bestOfKnown,
  )
}

function bestOfKnown(asked: readonly AskedKey<KeyVerdict>[]): Caller {
  const good = asked.find(({ verdict }) => verdict === 'accepted')
  if (good !== undefined) return { kind: 'known', tenant: null, keyDigest: good.keyDigest }
  const order = ['called_off', 'unknown', 'refused'] as const
  return CALLER_BY_VERDICT[order.find((word) => asked.some(({ verdict }) => verdict === word)) ?? 'refused']
}
