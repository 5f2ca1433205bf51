// What a dataset is told of a request: its columns stand in docs/metrics.md, so their order is a contract.

import { expect, test } from 'vitest'
import { inProcessRouter } from '../../../test/support/in-process-router.ts'

type Point = { readonly indexes: string[]; readonly blobs: string[]; readonly doubles: number[] }

async function pointsOf(bodies: readonly object[]): Promise<readonly Point[]> {
  const points: Point[] = []
  const usage = { prompt_tokens: 7, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 5 } }
  const bed = await inProcessRouter(
    JSON.stringify({ workers: [{ id: 'a', url: 'http://a:1', models: ['m'] }] }),
    async () => Response.json({ id: 'c', choices: [{ index: 0, message: { content: 'x' } }], usage }),
    undefined,
    { platform: () => ({ analytics: { writeDataPoint: (point) => void points.push(point) } }) },
  )
  for (const body of bodies) await bed.chat({ messages: [{ role: 'user', content: 'a secret' }], ...body })
  await expect.poll(() => points.length).toBe(bodies.length)
  return points
}

test('one point a request, column by column', async () => {
  const [point] = await pointsOf([{ model: 'm' }])
  expect(point).toEqual({
    indexes: ['m'],
    blobs: ['/v1/chat/completions', 'm', '200', '', 'a', expect.any(String), 'policy', '', 'bypass', 'complete'],
    doubles: [expect.any(Number), 0, 0, 1, 7, 3, 5],
  })
})

test('no name of a caller becomes an index, and no text of one a column', async () => {
  const points = await pointsOf([{ model: 'made-up' }, { model: 'made-up-too' }])
  expect(points.map(({ indexes }) => indexes)).toEqual([['other'], ['other']])
  expect(JSON.stringify(points)).not.toMatch(/made-up|secret/)
  expect(points[0]?.blobs[3]).toBe('model_not_found')
})
