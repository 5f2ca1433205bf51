// Eight workers whose metrics are known, and records of a thousand requests that differ as real ones do.

import type { Exchange } from '../../src/pipeline/exchange.ts'
import { fromViewDocument, toViewDocument } from '../../src/record/view-document.ts'
import { BUILT_IN_POLICIES } from '../../src/routing/policies/index.ts'
import { candidateOf, inputOf, viewOf } from '../../test/conformance/policy.ts'
import { answered, decidedExchange, recordOf } from '../../test/support/recorded-exchange.ts'

export const RECORDED_MODEL = 'meta-llama/Llama-3.1-8B-Instruct'

const definition = BUILT_IN_POLICIES.get('round_robin')
if (definition === undefined) throw new Error('no policy round_robin')
export const recordedPolicy = definition.create(definition.options.parse({}))

const fleet = Array.from({ length: 8 }, (_, at) => ({
  worker: candidateOf(`http://10.0.0.${at + 1}:8000`, { models: new Set([RECORDED_MODEL]) }),
  load: { inFlightHere: 3 + (at % 4), inFlightElsewhere: 9 + at },
}))

export const recordedWorkers = fleet.map(({ worker }) => worker)

/** The fleet as a replay finds it beside the records. */
export const recordedView = fromViewDocument(toViewDocument({ candidates: recordedWorkers }))

export function exchangesOf(count: number): readonly Exchange[] {
  return Array.from({ length: count }, (_, turn) => {
    const candidates = fleet.map(({ worker, load }, at) => {
      const age = { ageMs: 1_000 + at * 317, kvUsage: 0.3127 }
      const scraped = { running: 12 + ((turn + at) % 9), waiting: at % 2, ours: 11 + at, ...age }
      return { ...worker, ...load, inFlightHere: (turn + at) % 7, scraped }
    })
    const input = inputOf({ model: RECORDED_MODEL, ticket: 184_223 + turn })
    const view = viewOf(candidates, 812)
    return answered(decidedExchange({ input, policy: recordedPolicy, view, seed: 2_734_992_348 + turn }))
  })
}

export function linesOf(exchanges: readonly Exchange[]): readonly string[] {
  return exchanges.map((exchange) => JSON.stringify(recordOf(exchange)))
}

/** The next of a list, round and round. */
export function cycle<Item>(list: readonly Item[]): () => Item {
  let turn = 0
  return () => {
    turn += 1
    const item = list[turn % list.length]
    if (item === undefined) throw new Error('an empty list')
    return item
  }
}
