// What an admin key may open. A key without a list opens everything.

/** Scopes by what they cost when they get into the wrong hands, least first. */
export const ADMIN_SCOPES = [
  /** Records of Router Replay without bodies. */
  'replay.read',
  /** Everything that only looks: configuration without secrets, statistics, workers, decisions, tenants. */
  'read',
  /** Records of Router Replay with the bodies that were captured: what people wrote. */
  'replay.detail',
  /** Having cached answers forgotten. */
  'cache',
  /** Draining workers and taking them back. */
  'drain',
  /** Adding and removing workers. */
  'workers',
  /** Loading another configuration. */
  'config',
] as const

export type AdminScope = (typeof ADMIN_SCOPES)[number]
