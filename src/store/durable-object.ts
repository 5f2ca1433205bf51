// FleetStore over the Durable Object `Fleet`, as an isolate sees it: syncs go to a replica, so that one object never
// serves every isolate; strict turns to the root; stored responses to shards.

import { hash64 } from '../routing/hash.ts'
import type { FleetStore, ResponseOwner } from './fleet-store.ts'
import { completeSnapshot, type SentReport, type SentSnapshot } from './older-versions.ts'

/** The methods of a `Fleet` object that others call. */
export interface FleetStub {
  sync(report: SentReport): Promise<SentSnapshot>
  drain(workerId: string, deadlineMs: number): Promise<void>
  undrain(workerId: string): Promise<void>
  takeTicket(key: string): Promise<number>
  rememberResponse(responseId: string, owner: ResponseOwner, expiresAtMs: number): Promise<void>
  findResponse(responseId: string): Promise<ResponseOwner | null>
  forgetResponse(responseId: string): Promise<void>
  readPrefixHints(keys: readonly string[]): Promise<readonly (string | null)[]>
  writePrefixHints(keys: readonly string[], candidateId: string, ttlMs: number): Promise<void>
}

/** A namespace of `Fleet` objects: gives a stub by name. Stubs belong to one request, so each call asks anew. */
export type FleetNamespace = (objectName: string) => FleetStub

/** Objects that remember stored responses; each takes an even share of the ids. */
const RESPONSE_SHARDS = 16

export const rootName = (pool: string): string => `${pool}/root`
/** The object that asks the n-th sixteen workers of a large pool, from 1 on; the root asks the first. */
export const proberName = (pool: string, slice: number): string => `${pool}/prober/${slice}`
export const replicaName = (pool: string, index: number): string => `${pool}/replica/${index}`
const shardName = (pool: string, responseId: string): string =>
  `${pool}/responses/${Number.parseInt(hash64(responseId).slice(-4), 16) % RESPONSE_SHARDS}`

export interface DurableFleetOptions {
  readonly namespace: FleetNamespace
  readonly pool: string
  /** Which replica this isolate talks to, from 0. */
  replica(): number
}

export function createDurableFleetStore({ namespace, pool, replica }: DurableFleetOptions): FleetStore {
  const shardOf = (responseId: string) => namespace(shardName(pool, responseId))
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
  }
}
