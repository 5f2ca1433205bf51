import { describe, expect, test } from 'vitest'
import { madeUpReport } from '../../test/support/made-up-report.ts'
import { toHtml } from './html-report.ts'
import type { ReplayOutput, ReplayReport } from './report-schema.ts'
import { sentenceFor, toNumber, toPercent } from './sentence.ts'
import { noCounts } from './counts.ts'
import { toText } from './text-report.ts'

const LINES = {
  read: 102,
  blank: 0,
  unreadable: 2,
  reasons: [{ why: 'the line is no JSON', count: 2, first: 'd.jsonl:7' }],
}
const EVIL = '<script>alert("x")</script>\u001B[31m\'&'

const groups = { [EVIL]: { ...noCounts(), total: 100, same: 60, different: 20, neither: 10, not_comparable: 10 } }
const full: ReplayReport = madeUpReport({
  configuration: { name: EVIL, hash: '0123456789abcdef', policy: 'least_load' },
  total: 100,
  same: 60,
  different: 20,
  no_worker: 10,
  neither: 10,
  not_comparable: 10,
  exact: { same: 50, different: 10 },
  modelled: { same: 10, different: 10, assumptions: { turn: 20, newcomer: 0, session: 0, cache: 0 } },
  causes: { policy: 20, rule: 0, workers: 0, hook: 0, model_access: 0, missing_fact: 10 },
  not_comparable_reasons: [{ why: `worker \`${EVIL}\` is new`, cause: 'workers', count: 10 }],
  policies: groups,
  models: groups,
  by: { key: 'tenant', groups },
  workers: { [EVIL]: { before: 40, after: 60, left: 0, came: 20 }, b: { before: 40, after: 20, left: 20, came: 0 } },
  latency_ms: {
    count: 80,
    p50: 120,
    p90: 900,
    p99: 1_500,
    histogram: [
      [100, 30],
      [200, 40],
      [1_500, 10],
    ],
  },
  prefix: {
    records: 80,
    cache_blocks: 100,
    block_tokens: 16,
    before: { tokens: 1_000, cached_tokens: 100 },
    after: { tokens: 1_000, cached_tokens: 300 },
  },
  period: { from: '2026-08-01T09:30:00.000Z', to: '2026-08-01T10:30:00.000Z' },
})
const one: ReplayOutput = { ...full, lines: LINES }
const several: ReplayOutput = { report_version: 1, lines: LINES, reports: [full, madeUpReport({ total: 5, same: 5 })] }

describe('the sentence', () => {
  const counts = { ...noCounts(), same: 870, different: 130 }

  test.each([
    [
      ['round_robin'],
      'With least_load instead of round_robin: 870 (87.0 %) to the same worker, 130 (13.0 %) different',
    ],
    [['a', 'b'], 'With least_load instead of a and b: 870 (87.0 %) to the same worker, 130 (13.0 %) different'],
    [['a', 'b', 'c'], 'With least_load instead of a, b and c: 870 (87.0 %) to the same worker, 130 (13.0 %) different'],
    [
      ['a', 'b', 'c', 'd'],
      'With least_load instead of a and 3 other policies: 870 (87.0 %) to the same worker, 130 (13.0 %) different',
    ],
  ])('instead of %s', (instead, expected) => {
    expect(sentenceFor({ policy: 'least_load', instead, counts })).toBe(expected)
  })

  test('never rounds to all or to nothing', () => {
    expect([toPercent(1, 1_000_000), toPercent(999_999, 1_000_000), toPercent(0, 5), toPercent(5, 5)]).toEqual([
      '<0.1 %',
      '>99.9 %',
      '0.0 %',
      '100.0 %',
    ])
    expect([toNumber(999), toNumber(1_000), toNumber(1_234_567)]).toEqual(['999', '1,000', '1,234,567'])
  })
})

describe('text', () => {
  test('begins with the sentence, and has every part', () => {
    const text = toText(one)
    expect(text.startsWith(`${full.sentence}\n`)).toBe(true)
    for (const part of [
      'same worker',
      '60 (60.0 %)',
      'P90 900 ms',
      'hotspot after',
      'turns counted here',
      'd.jsonl:7',
    ]) {
      expect(text).toContain(part)
    }
    expect(text).toMatch(/tokens cached after \(modelled\)\s+30\.0 %/)
    expect(text).toMatch(/exact: same, different\s+50, 10/)
  })

  test('has no control characters but line feeds', () => {
    expect(toText(one).replaceAll('\n', '')).not.toMatch(/\p{Cc}/u)
  })

  test('puts several configurations side by side', () => {
    const text = toText(several)
    expect(text).toMatch(/same worker\s+60 \(60\.0 %\)\s+5 \(100\.0 %\)/)
  })
})

describe('the page', () => {
  test.each([
    ['one report', one],
    ['several', several],
  ])('of %s needs nothing from elsewhere, and nothing in it is markup that was not made here', (_, output) => {
    const page = toHtml(output)
    expect(page).not.toMatch(/<script|<link|<img|<iframe|src=|url\(|@import|https?:/i)
    expect(page).toContain('&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;')
    expect(page).toContain("default-src 'none'")
    expect(page).toContain('<svg')
    // Every element that is opened is closed.
    const count = (tag: RegExp) => page.match(tag)?.length ?? 0
    for (const tag of ['svg', 'rect', 'text', 'title', 'table', 'tr', 'td', 'section', 'div', 'span', 'p']) {
      expect([tag, count(new RegExp(`<${tag}(?:\\s[^<>]*[^/<>])?>`, 'g'))]).toEqual([
        tag,
        count(new RegExp(`</${tag}\\s*>`, 'g')),
      ])
    }
  })

  test('of nothing is a page', () => {
    expect(toHtml({ ...madeUpReport({}), lines: { ...LINES, unreadable: 0, reasons: [] } })).toContain('</html>')
  })

  test('has no number that is none', () => {
    expect(toHtml(one)).not.toMatch(/NaN|Infinity|undefined|null/)
  })
})
