// `semantic_cluster` and `signal_servers`: what sections become, and what is said about bad ones.

import { describe, expect, test } from 'vitest'
import { good as goodText, load } from '../../test/support/load-config.ts'

const POOL = `
workers:
  - {id: one, url: "http://a:80/base"}
  - {url: "http://b:8000", labels: {tier: code, zone: x}}
`

const SERVER = 'embeddings_url: "http://e:8000"'

async function findings(yaml: string, given: object = {}): Promise<string[]> {
  const result = await load(POOL + yaml, given)
  return result.findings.map(({ severity, path, message }) => `${severity} ${path}: ${message}`)
}

const cluster = (text: string, server = SERVER) => `semantic_cluster:\n  ${server}\n  clusters: ${text}\n`

describe('a good section', () => {
  test('gets every default of the Rust router', async () => {
    const { config } = await goodText(
      POOL + cluster('[{name: code, examples: [x, y, x], workers: [one, "http://b:8000/"]}]'),
    )
    expect(config.semanticCluster).toEqual({
      server: { url: 'http://e:8000', binding: null, model: 'default', apiKey: null },
      threshold: 0.75,
      timeoutMs: 500,
      clusters: [{ name: 'code', examples: ['x', 'y'], workers: ['one', 'http://b:8000'], labels: null }],
      basis: expect.stringMatching(/^[0-9a-f]{16}$/),
    })
  })

  test('a basis is that of model, names and examples, and of nothing else', async () => {
    const basisOf = async (yaml: string) => (await goodText(POOL + yaml)).config.semanticCluster?.basis
    const one = '[{name: code, examples: [x], workers: [one]}]'
    const basis = await basisOf(cluster(one))
    expect(await basisOf(cluster(one.replace('workers: [one]', 'labels: {tier: code}')))).toBe(basis)
    expect(await basisOf(cluster(one, `${SERVER}\n  threshold: 0.2`))).toBe(basis)
    expect(await basisOf(cluster(one.replace('[x]', '[y]')))).not.toBe(basis)
    expect(await basisOf(cluster(one.replace('code', 'maths')))).not.toBe(basis)
    expect(await basisOf(cluster(one, `${SERVER}\n  embeddings_model: m`))).not.toBe(basis)
  })

  test('a changed key is a changed configuration, and no key is in its hash or its document', async () => {
    const one = (key: string) =>
      cluster('[{name: c, examples: [x], workers: [one]}]', `${SERVER}\n  embeddings_api_key: ${key}`)
    const [first, second] = await Promise.all(['sk-first', 'sk-second'].map((key) => goodText(POOL + one(key))))
    expect(first?.config.hash).not.toBe(second?.config.hash)
    expect(JSON.stringify(first?.config.document)).not.toContain('sk-first')
  })

  test('a section without a server takes that of the semantic cache', async () => {
    const cache =
      'semantic_cache: {embeddings_url: "http://c:8000", embeddings_api_key: sk-cache, embeddings_model: m}\n'
    const own = cluster('[{name: c, examples: [x], workers: [one]}]', 'embedding_timeout_ms: 9')
    const { config } = await goodText(POOL + cache + own)
    expect(config.semanticCluster?.server).toEqual({
      url: 'http://c:8000',
      binding: null,
      model: 'm',
      apiKey: 'sk-cache',
    })
  })

  test('none, or none with examples, is none', async () => {
    expect((await goodText(POOL)).config.semanticCluster).toBeNull()
    expect((await goodText(POOL + cluster('[]'))).config.semanticCluster).toBeNull()
    expect((await goodText(POOL + cluster('[{name: c, workers: [one]}]'))).config.semanticCluster).toBeNull()
  })
})

describe('what is said', () => {
  test.each<[string, string, string]>([
    [
      'no server',
      'semantic_cluster: {clusters: [{name: c, examples: [x], workers: [one]}]}',
      'error semantic_cluster: has no embeddings server',
    ],
    [
      'two servers',
      cluster('[{name: c, examples: [x], workers: [one]}]', `${SERVER}\n  embeddings_binding: AI`),
      'error semantic_cluster.embeddings_binding: is a second server',
    ],
    [
      'a password',
      cluster('[]', 'embeddings_url: "http://u:p@e"'),
      'error semantic_cluster.embeddings_url: has a user or password',
    ],
    ['no cluster', cluster('[]'), 'warning semantic_cluster.clusters: lists no cluster'],
    ['no example', cluster('[{name: c, workers: [one]}]'), 'warning semantic_cluster.clusters[0]: has no examples'],
    [
      'a name twice',
      cluster('[{name: c, examples: [x], workers: [one]}, {name: c, examples: [x], workers: [one]}]'),
      'error semantic_cluster.clusters[1].name: "c" already names semantic_cluster.clusters[0]',
    ],
    [
      'a beginning of a URL',
      cluster('[{name: c, examples: [x], workers: ["http://b:80", one]}]'),
      'warning semantic_cluster.clusters[0].workers[0]: names no worker',
    ],
    [
      'labels of nobody',
      cluster('[{name: c, examples: [x], labels: {tier: code, zone: y}}]'),
      'warning semantic_cluster.clusters[0]: has no worker',
    ],
    ['no member at all', cluster('[{name: c, examples: [x]}]'), 'warning semantic_cluster.clusters[0]: has no worker'],
    [
      'empty labels',
      cluster('[{name: c, examples: [x], labels: {}}]'),
      'error semantic_cluster.clusters[0].labels: names no label',
    ],
    [
      'a threshold',
      cluster('[]', `${SERVER}\n  threshold: 75`),
      'error semantic_cluster.threshold: must be a number from 0 to 1',
    ],
  ])('%s', async (_, yaml, expected) => {
    const found = await findings(yaml)
    expect(
      found.find((finding) => finding.startsWith(expected)),
      found.join('\n'),
    ).toBeDefined()
  })

  test('a binding that the runtime has not', async () => {
    const yaml = cluster('[{name: c, examples: [x], workers: [one]}]', 'embeddings_binding: AI')
    expect(await findings(yaml, { bindings: ['AI'] })).toEqual([])
    expect(await findings(yaml, { bindings: [] })).toEqual([
      'error semantic_cluster.embeddings_binding: no binding is called "AI"; this runtime has none',
    ])
  })
})

describe('signal servers', () => {
  const rules = 'signals: {domains: [{name: math}]}\n'

  test('get their defaults, each family its own', async () => {
    const yaml =
      'signal_servers: {domain: {url: "http://c"}, fact_check: {url: "http://c", type: chat}, preference: {url: "http://p"}}\n'
    const { config } = await goodText(POOL + yaml)
    const server = { kind: 'classify', url: 'http://c', model: 'default', apiKey: null, timeoutMs: 500, labels: null }
    expect(config.signalServers).toEqual({
      embedding: null,
      domain: { ...server, threshold: 0.5 },
      fact_check: { ...server, kind: 'chat', threshold: 0.7 },
      user_feedback: null,
      preference: { ...server, kind: 'chat', url: 'http://p', threshold: 0.5 },
    })
  })

  test('rules without one are told of, at the place where they stand', async () => {
    const told = (await findings(rules)).filter((finding) => finding.startsWith('warning signals.domains: takes'))
    expect(told).toHaveLength(1)
    const nested = await findings(`routing: {${rules.trim()}}\n`)
    expect(nested.find((finding) => finding.startsWith('warning routing.signals.domains'))).toBeDefined()
    const served = await findings(`${rules}signal_servers: {domain: {url: "http://c"}}\n`)
    expect(served.filter((finding) => finding.includes('takes a server'))).toEqual([])
  })

  test('rules for labels that the classifier has not are told of', async () => {
    const server = 'signal_servers: {domain: {url: "http://c", labels: [Computer Science, math]}}\n'
    const of = (list: string) => findings(`${server}signals: {domains: ${list}}\n`)
    const none = 'none of which signal_servers.domain.labels lists; it never matches'
    expect(
      await of('[{name: maths}, {name: computer_science}, {name: any, mmlu_categories: [physics, math]}]'),
    ).toEqual([`warning signals.domains[0]: stands for maths, ${none}`])
    expect(await of('[{name: math, mmlu_categories: [physics, law]}]')).toEqual([
      `warning signals.domains[0]: stands for physics, law, ${none}`,
    ])
    // What a chat model is given are the labels of the rules.
    expect(await findings(`${server.replace('labels', 'type: chat, labels')}${rules}`)).toEqual([])
  })

  test.each([
    ['signal_servers: {domain: {model: m}}\n', 'error signal_servers.domain: has no url'],
    [
      'signal_servers: {embedding: {url: "http://e", binding: AI}}\n',
      'error signal_servers.embedding.binding: is a second server',
    ],
    ['signal_servers: {preference: {url: "http://e", type: classify}}\n', 'error signal_servers.preference.type'],
    ['signal_servers: {jailbreak: {url: "http://e"}}\n', 'error signal_servers.jailbreak'],
  ])('%s', async (yaml, expected) => {
    const found = await findings(yaml)
    expect(
      found.find((finding) => finding.startsWith(expected)),
      found.join('\n'),
    ).toBeDefined()
  })
})
