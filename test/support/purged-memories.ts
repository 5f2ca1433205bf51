// Several routers that keep answers in memories of their own: what one of them is told to forget, the others forget too.

import { expect } from 'vitest'
import type { AdminClient } from './admin-client.ts'
import { postJson } from './ask.ts'
import { until } from './launch.ts'

/** Many times what others may take to hear of a purge, for a busy machine. */
const HEARD_MS = 20_000

/** Each of the routers at `urls` has the answer to a question, `admin` purges one of them, and soon none has it. */
export async function expectPurgeEverywhere(urls: readonly string[], admin: AdminClient): Promise<void> {
  const asked = { model: 'm', temperature: 0, max_tokens: 2, messages: [{ role: 'user', content: 'What is purged?' }] }
  const ask = async (url: string) => {
    const { headers } = await postJson(`${url}/v1/chat/completions`, asked)
    return headers.get('x-vllm-router-cache-status')
  }
  const becomes = (url: string, status: string) =>
    until(
      async () => (await ask(url)) === status,
      HEARD_MS,
      () => `${url} never said ${status}`,
    )
  await Promise.all(urls.map((url) => becomes(url, 'exact-hit')))
  const purged = await admin.post('/admin/cache/purge', { model: 'm' })
  expect(purged.status, purged.text).toBe(200)
  expect(purged.json()).toMatchObject({ cache: { backend: 'memory', reaches: 'all', within_secs: 5 } })
  await Promise.all(urls.map((url) => becomes(url, 'miss')))
  // What came since stays, however often the others hear of the purge.
  await Promise.all(urls.map((url) => becomes(url, 'exact-hit')))
}
