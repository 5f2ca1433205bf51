// Decisions within semantic clusters, made by the whole pipeline and decided again from their lines: the same worker for every
// one of them, those without a vector among them.

import { expect, test } from 'vitest'
import { configOf, decidedLog } from '../../test/support/decided-log.ts'
import { hashedEmbedding } from '../../test/support/embeddings-server.ts'
import { replayLog } from '../../test/support/replayed-log.ts'
import type { UpstreamCall } from '../../test/support/in-process-router.ts'

const REQUESTS = 5_000

const yaml = (policy: string) => `
workers:
  - {id: a, url: "http://a", models: [m], labels: {tier: code}}
  - {id: b, url: "http://b", models: [m], labels: {tier: code}}
  - {id: c, url: "http://c", models: [m]}
  - {id: d, url: "http://d", models: [m, n]}
  - {id: e, url: "http://e", models: [n]}
policy: ${policy}
semantic_cluster:
  embeddings_url: http://vectors
  embedding_timeout_ms: 60000
  threshold: 0.3
  clusters:
    - {name: code, examples: [Write a python function, Fix the bug in my code], labels: {tier: code}}
    - {name: maths, examples: [Solve the equation, Prove the theorem], workers: [c, "http://d"]}
    - {name: bugs, examples: [There is a bug in the code], workers: [a]}
log_level: error
`

const TEXTS = [
  'Fix the bug in this code',
  'Solve the equation for x',
  'Is there a bug in my python code?',
  'Sunny spells',
]

const request = (n: number) => ({
  body: {
    model: n % 7 === 0 ? 'n' : 'm',
    messages: [{ role: 'user', content: `${TEXTS[n % TEXTS.length]} ${n % 120}` }],
    user: `user-${n % 31}`,
  },
})

/** Every ninth question fails. */
function embeddings() {
  let asked = 0
  return ({ worker, body }: UpstreamCall): Response | null => {
    if (worker !== 'vectors') return null
    asked += 1
    if (asked % 9 === 8) return new Response('{}', { status: 400 })
    const { input }: { input: string[] } = JSON.parse(new TextDecoder().decode(body as Uint8Array))
    return Response.json({ data: input.map((text, index) => ({ index, embedding: hashedEmbedding(text, 64) })) })
  }
}

test.each(['round_robin', 'consistent_hash', 'power_of_two'])(
  '%s within clusters: every decision comes out the same again',
  { timeout: 120_000 },
  async (policy) => {
    const text = yaml(policy)
    const log = await decidedLog({ yaml: text, requests: REQUESTS, request, failing: 0.02, respond: embeddings() })
    const [own] = replayLog(log, [await configOf(text)])
    expect(own).toMatchObject({ total: REQUESTS, different: 0, not_comparable: 0, newly_refused: 0, newly_served: 0 })
    const clusters = log.lines.map((line): string | undefined => JSON.parse(line).cluster)
    for (const name of ['code', 'maths', 'bugs', undefined]) {
      expect(clusters.filter((cluster) => cluster === name).length).toBeGreaterThan(REQUESTS / 50)
    }
  },
)
