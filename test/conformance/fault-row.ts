// A row of the fault table: what goes wrong, what the router makes of it in each place where somebody can look, and the
// test that shows it. docs/faults.md is the same rows as a page.

import { test } from 'vitest'

/** One row, in the words of the page. */
export interface FaultWords {
  /** Number in the table; a row may have several tests. */
  readonly id: `F${number}`
  /** What happens. */
  readonly fault: string
  /** What the client sees. */
  readonly client: string
  /** What the decision record, or another place where operators look, says. */
  readonly record: string
  /** Whether another worker is tried. */
  readonly retried: string
  /** What it does to the worker's breaker. */
  readonly breaker: string
}

/** A row with the test that proves it. `Bench` is what it needs to be started for it. */
export interface FaultRow<Bench> extends FaultWords {
  readonly prove: (bench: Bench) => Promise<void>
  /** Where the usual time of a test is too short. */
  readonly limitMs?: number
}

/** A row that another suite proves. */
export interface ListedRow extends FaultWords {
  /** The file, from the root of the project, and text of it that begins the title of the test. */
  readonly proof: { readonly file: string; readonly title: string }
}

/** Registers a test for each row, titled with its number, and notes the numbers of those that have run. */
export function proveRows<Bench>(rows: readonly FaultRow<Bench>[], bench: Bench, ran: Set<string>): void {
  for (const { id, fault, prove, limitMs } of rows) {
    test(`${id} ${fault}`, limitMs === undefined ? {} : { timeout: limitMs }, async () => {
      await prove(bench)
      ran.add(id)
    })
  }
}

/** Nothing was sent to a worker, or nothing that says anything about one. */
export const NO_WORKER = { retried: '–', breaker: '–' } as const
