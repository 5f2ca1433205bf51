import { describe, expect, test } from 'vitest'
import { decisionLogStoreConformance } from '../../test/conformance/decision-log-store.ts'
import { decisionId, recordNumber, recordNumbers, viewOf } from '../../test/support/made-up-records.ts'
import { DecisionRing } from './decision-ring.ts'

decisionLogStoreConformance('memory', async ({ keeps } = {}) => ({
  store: new DecisionRing(keeps),
  settle: async () => {},
  exportedLines: async () => null,
}))

describe('the ring', () => {
  test('keeps the last thousand for ever', async () => {
    const ring = new DecisionRing()
    for (let from = 0; from < 5_000; from += 500) await ring.append(recordNumbers(from, from + 500), [])
    const { records, end } = await ring.query({ filters: {}, after: null, limit: 2_000 })
    expect(records.map((record) => record.decision_id)).toEqual(
      recordNumbers(4_000, 5_000)
        .map((record) => record.decision_id)
        .toReversed(),
    )
    expect(end).toBeNull()
    expect(await ring.find(decisionId(3_999))).toBeNull()
    expect(await ring.find('req-3999')).toBeNull()
    expect(await ring.status()).toMatchObject({ kind: 'memory', stored: 5_000 })
  })

  test('keeps no more views than its records name', async () => {
    const ring = new DecisionRing(10)
    const views = Array.from({ length: 100 }, (_, n) => viewOf(`gpu-${n}`))
    for (const [n, view] of views.entries()) ring.add(recordNumber(n, { view_hash: view.view_hash }), view)
    const found = await Promise.all(views.map((view) => ring.findView(view.view_hash)))
    expect(found.slice(-10)).toEqual(views.slice(-10))
    expect(found.filter((view) => view !== null).length).toBeLessThanOrEqual(15)
  })
})
