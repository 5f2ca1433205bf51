// Who a request is from, by the keys it offers: a tenant, a caller with the shared key, one whose key a service accepts,
// or anybody where no key is wanted.

import { digestOfKey } from '../access/key-digest.ts'
import { createKeyring } from '../access/keyring.ts'
import { offeredKeys } from '../access/offered-keys.ts'
import type { Config, TenantConfig } from '../config/config.ts'
import type { Platform } from '../platform.ts'
import { type KeyCheck, type KeyServiceFailure, KeyValidation, type KeyVerdict } from './key-validation.ts'

export type Caller =
  /** May go on; `tenant` is null for callers that are nobody's in particular. */
  | { readonly kind: 'known'; readonly tenant: TenantConfig | null }
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

type CallersConfig = Pick<Config, 'inboundKeyDigest' | 'tenants' | 'keyValidation'>

export interface CallersOptions {
  readonly config: CallersConfig
  readonly platform: Pick<Platform, 'now' | 'after' | 'send' | 'classifySendError'>
  onKeyServiceFailure(failure: KeyServiceFailure): void
  /** Those of the configuration before: what services said stays known while it is the same services. */
  readonly earlier?: Callers | undefined
}

const ANYBODY: Caller = { kind: 'known', tenant: null }
const STRANGER: Caller = { kind: 'stranger' }

const CALLER_BY_VERDICT: Readonly<Record<KeyVerdict, Caller>> = {
  accepted: ANYBODY,
  refused: STRANGER,
  unknown: { kind: 'unchecked' },
  called_off: { kind: 'gone' },
}

/** Whether callers need a key at all. */
export function wantsKeys({ inboundKeyDigest, tenants, keyValidation }: CallersConfig): boolean {
  return inboundKeyDigest !== null || tenants.length > 0 || keyValidation !== null
}

/** Lives until the configuration changes. */
export function createCallers(options: CallersOptions): Callers {
  const { config } = options
  if (!wantsKeys(config)) return { identify: () => ANYBODY, validation: null }
  const keyring = createKeyring(config.tenants, config.inboundKeyDigest)
  const validation = validationOf(options)
  return {
    validation,
    identify(headers, request) {
      const keys = offeredKeys((name) => headers.get(name))
      const digests = keys.map(digestOfKey)
      const owner = keyring.find(digests)
      if (owner?.kind === 'shared') return ANYBODY
      if (owner !== null) return { kind: owner.tenant.isEnabled ? 'known' : 'disabled', tenant: owner.tenant }
      if (validation === null || keys.length === 0) return STRANGER
      return bestOf(keys.map((key, at) => validation.check(key, digests[at] ?? '', request)))
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

/** A good key among several counts; a refusal only when all of them are refused. */
function bestOf(verdicts: readonly (KeyVerdict | Promise<KeyVerdict>)[]): Caller | Promise<Caller> {
  if (verdicts.includes('accepted')) return ANYBODY
  const [only] = verdicts
  if (verdicts.length === 1 && typeof only === 'string') return CALLER_BY_VERDICT[only]
  return Promise.all(verdicts.map(async (verdict) => verdict)).then((all) => {
    const order = ['accepted', 'called_off', 'unknown', 'refused'] as const
    return CALLER_BY_VERDICT[order.find((verdict) => all.includes(verdict)) ?? 'refused']
  })
}
