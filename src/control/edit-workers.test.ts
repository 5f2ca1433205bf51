import { expect, test } from 'vitest'
import { withoutEntries, withWorker } from './edit-workers.ts'

const nobodys = () => false

const FILE = `# our fleet
workers:
  # the first rack
  - {id: a, url: "http://a:1"} # keep it cool
  - url: \${URL:-http://b:1}
    api_key: '\${KEY}'

worker_api_keys: {a: k1, "http://b:1": k2}
policy: least_load # for now
`

test('a worker is added at the end, and everything else stays as it was written', () => {
  const text = withWorker(FILE, { id: 'c', url: 'http://c:1', models: ['1e3'], labels: { zone: 'no' } })
  for (const kept of ['# our fleet', '# the first rack', '# keep it cool', '# for now', "'${KEY}'"]) {
    expect(text).toContain(kept)
  }
  expect(text).toContain('url: ${URL:-http://b:1}\n    api_key')
  expect(text).toContain('  - id: c\n    url: http://c:1\n    models:\n      - "1e3"\n    labels:\n      zone: no\n\n')
})

test.each([
  ['mode: {type: regular, worker_urls: ["http://a:1"]}\n', '\nworkers:\n  - url: http://c:1\n'],
  ['{"workers": [{"url": "http://a:1"}]}', '[{"url": "http://a:1"}, {url: http://c:1}]'],
  ['x: &pool [{url: "http://a:1"}]\nworkers: *pool\n', '[{url: "http://a:1"}, {url: http://c:1}]'],
  ['workers:\nmode: {}\n', 'workers:\n  - url: http://c:1\n'],
])('works on %j', (text, expected) => expect(withWorker(text, { url: 'http://c:1' })).toContain(expected))

test('entries are taken out, and keys that are nobody’s any more', () => {
  const text = withoutEntries(FILE, [['workers', 1]], (name) => name === 'http://b:1')
  expect(text).not.toMatch(/b:1|KEY|k2/)
  expect(text).toContain('a: k1')
  expect(text).toContain('# keep it cool')
})

test('several entries of one list are taken out at once', () => {
  const urls = 'mode: {type: regular, worker_urls: ["http://a", "http://b", "http://a/", "http://c"]}\n'
  const places = [0, 2].map((index) => ['mode', 'worker_urls', index])
  expect(withoutEntries(urls, places, nobodys)).toContain('["http://b", "http://c"]')
})
