// FleetStore over the Durable Object `Fleet`, as an isolate sees it: syncs go to a replica, so that one object never
// serves every isolate; strict turns to the root; stored responses to shards.

import { hash64 } from '../routing/hash.ts'
import type { CountReply, CountReport } from './fleet-counts.ts'
import type { FleetStore, ResponseOwner } from './fleet-store.ts'
import { completeSnapshot, type SentReport, type SentSnapshot } from './older-versions.ts'
import type { PurgeScope } from './purge-log.ts'
import type { VectorEntry } from './vector-store.ts'

/** The methods of a `Fleet` object that others call. */
export interface FleetStub {
  sync(report: SentReport): Promise<SentSnapshot>
  drain(workerId: string, deadlineMs: number): Promise<void>
  undrain(workerId: string): Promise<void>
  takeTicket(key: string): Promise<number>
  rememberResponse(responseId: string, owner: ResponseOwner, expiresAtMs: number): Promise<void>
  findResponse(responseId: string): Promise<ResponseOwner | null>
  forgetResponse(responseId: string): Promise<void>
  announcePurge(scope: PurgeScope): Promise<void>
  readPrefixHints(keys: readonly string[]): Promise<readonly (string | null)[]>
  writePrefixHints(keys: readonly string[], candidateId: string, ttlMs: number): Promise<void>
  reportCounts(report: CountReport): Promise<CountReply>
  readVectors(keys: readonly string[]): Promise<readonly (string | null)[]>
  writeVectors(entries: readonly VectorEntry[], ttlMs: number): Promise<void>
}

/** A namespace of `Fleet` objects: gives a stub by name. Stubs belong to one request, so each call asks anew. */
export type FleetNamespace = (objectName: string) => FleetStub

/** Objects that remember stored responses, unless the configuration says otherwise; each takes an even share of the ids. */
export const DEFAULT_SHARDS = 16

export const rootName = (pool: string): string => `${pool}/root`
/** The object that asks the n-th sixteen workers of a large pool, from 1 on; the root asks the first. */
export const proberName = (pool: string, slice: number): string => `${pool}/prober/${slice}`
export const replicaName = (pool: string, index: number): string => `${pool}/replica/${index}`
const shardName = (pool: string, responseId: string, shards: number): string =>
  `${pool}/responses/${Number.parseInt(hash64(responseId).slice(-4), 16) % shards}`

export interface DurableFleetOptions {
  readonly namespace: FleetNamespace
  readonly pool: string
  /** Which replica this isolate talks to, from 0. */
  replica(): number
  /** How many objects stored responses are spread over. */
  shards?(): number
}

export function createDurableFleetStore({ namespace, pool, replica, shards }: DurableFleetOptions): FleetStore {
  const shardOf = (responseId: string) => namespace(shardName(pool, responseId, shards?.() ?? DEFAULT_SHARDS))
  return {
    source: 'fleet',
    ticketNow: null,
    sync: async (report) => completeSnapshot(await namespace(replicaName(pool, replica())).sync(report)),
    drain: (workerId, deadlineMs) => namespace(rootName(pool)).drain(workerId, deadlineMs),
    undrain: (workerId) => namespace(rootName(pool)).undrain(workerId),
    takeTicket: (key) => namespace(rootName(pool)).takeTicket(key),
    rememberResponse: (id, owner, expiresAtMs) => shardOf(id).rememberResponse(id, owner, expiresAtMs),
    findResponse: (id) => shardOf(id).findResponse(id),
    forgetResponse: (id) => shardOf(id).forgetResponse(id),
    announcePurge: (scope) => namespace(rootName(pool)).announcePurge(scope),
  }
}
