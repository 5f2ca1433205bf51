// The fault table over real sockets: what becomes of each fault that a worker, a client, a service or an operator can
// cause. docs/faults.md is the same table as a page.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RuntimeName } from '../support/launch.ts'
import { workersOf } from './answer-fault.ts'
import { faultBench } from './fault-bench.ts'
import { proveRows } from './fault-row.ts'
import { CLIENT_ROWS } from './fault-rows-clients.ts'
import { CONNECTION_ROWS, connectionBench } from './fault-rows-connections.ts'
import { HEALTH_ROWS, illnessBench } from './fault-rows-health.ts'
import { LISTED_ROWS } from './fault-rows-listed.ts'
import { OPERATIONS_ROWS, operationsBench } from './fault-rows-operations.ts'
import { REQUEST_ROWS, REQUEST_WORKERS } from './fault-rows-requests.ts'
import { SERVICE_ROWS, serviceBench } from './fault-rows-services.ts'
import { ENDLESS_STREAMS } from './fault-rows-streams.ts'
import { ANSWER_FAULTS, ANSWER_ROWS, ENDLESS_ROWS, PROVEN_ROWS } from './fault-table.ts'
import { type Bench, openBench } from './stream-bench.ts'

/** How many numbers of the table must have run here, over real sockets. */
const LEAST_ROWS = 50

/** `timeouts.total` where it is what ends a stream. */
const TOTAL_MS = 4_000

const ROOT = new URL('../../', import.meta.url)

export function faultTableConformance(runtime: RuntimeName): void {
  describe(`fault table on ${runtime}`, () => {
    const ran = new Set<string>()

    describe('connections', () => proveRows(CONNECTION_ROWS, connectionBench(runtime), ran))
    describe('answers', () => proveRows(ANSWER_ROWS, faultBench(runtime, ANSWER_FAULTS.map(workersOf)), ran))
    describe('endless answers', () =>
      proveRows(ENDLESS_ROWS, faultBench(runtime, ENDLESS_STREAMS.map(workersOf), { totalMs: TOTAL_MS }), ran))
    describe('health', () => proveRows(HEALTH_ROWS, illnessBench(runtime), ran))
    describe('clients', () => {
      let bench: Bench
      beforeAll(async () => {
        bench = await openBench(runtime)
      })
      afterAll(() => bench?.close())
      proveRows(CLIENT_ROWS, () => bench, ran)
    })
    describe('requests', () => proveRows(REQUEST_ROWS, faultBench(runtime, REQUEST_WORKERS), ran))
    describe('hooks', () => proveRows(SERVICE_ROWS, serviceBench(runtime), ran))
    describe('operations', () => proveRows(OPERATIONS_ROWS, operationsBench(runtime), ran))

    test.each(LISTED_ROWS)('$id $fault: proved in $proof.file', ({ proof: { file, title } }) => {
      expect(readFileSync(fileURLToPath(new URL(file, ROOT)), 'utf8')).toContain(title)
    })

    test(`all rows have run, at least ${LEAST_ROWS} numbers of them`, () => {
      expect([...ran].sort()).toEqual([...new Set(PROVEN_ROWS.map(({ id }) => id))].sort())
      expect(ran.size).toBeGreaterThanOrEqual(LEAST_ROWS)
    })
  })
}
