// What a tenant's use is measured by: requests and tokens, which come back with time, and slots, which come back when
// requests end.

/** What a tenant may use; null where there is no limit. */
export interface TenantLimits {
  readonly rateLimitRps: number | null
  readonly maxConcurrent: number | null
  readonly tokensPerMinute: number | null
}

export const METERS = ['requests', 'slots', 'tokens'] as const
export type MeterName = (typeof METERS)[number]

/** A value for each meter that has a limit. */
export type PerMeter<Value> = Partial<Record<MeterName, Value>>

export interface MeterLimit {
  /** How much there is at most at a time. */
  readonly capacity: number
  /** What comes back by itself; 0 for slots. */
  readonly refillPerMs: number
}

/** The limit of one meter; null when there is none. */
export function meterLimit(limits: TenantLimits, meter: MeterName): MeterLimit | null {
  const { rateLimitRps, maxConcurrent, tokensPerMinute } = limits
  switch (meter) {
    case 'requests':
      // With less than one request a second the bucket must still hold one.
      return rateLimitRps === null ? null : { capacity: Math.max(1, rateLimitRps), refillPerMs: rateLimitRps / 1_000 }
    case 'slots':
      return maxConcurrent === null ? null : { capacity: maxConcurrent, refillPerMs: 0 }
    case 'tokens':
      return tokensPerMinute === null ? null : { capacity: tokensPerMinute, refillPerMs: tokensPerMinute / 60_000 }
  }
}

export function hasLimits({ rateLimitRps, maxConcurrent, tokensPerMinute }: TenantLimits): boolean {
  return rateLimitRps !== null || maxConcurrent !== null || tokensPerMinute !== null
}

export function areSame(a: TenantLimits, b: TenantLimits): boolean {
  return (
    a.rateLimitRps === b.rateLimitRps && a.maxConcurrent === b.maxConcurrent && a.tokensPerMinute === b.tokensPerMinute
  )
}

/** Nothing else of a tenant goes where its limits go: its configuration holds what stands for its keys. */
export function onlyLimits({ rateLimitRps, maxConcurrent, tokensPerMinute }: TenantLimits): TenantLimits {
  return { rateLimitRps, maxConcurrent, tokensPerMinute }
}

/** The part of one among several who share the limits without asking each other: at least one of everything. */
export function shareOf(limits: TenantLimits, sharers: number): TenantLimits {
  const part = (limit: number | null, least: number) => (limit === null ? null : Math.max(least, limit / sharers))
  const slots = part(limits.maxConcurrent, 1)
  return {
    rateLimitRps: part(limits.rateLimitRps, 0),
    maxConcurrent: slots === null ? null : Math.floor(slots),
    tokensPerMinute: part(limits.tokensPerMinute, 1),
  }
}
