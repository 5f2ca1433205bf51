// What a scrape of `/metrics` says.

import { expect } from 'vitest'

/** Values by series, such as `requests_total{route="/x"}`; of a histogram its count. The common prefix is left out. */
export type Scrape = ReadonlyMap<string, number>

const SAMPLE =
  /^vllm_router_([a-z_]+)(\{[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\[\\"n])*")*\})? (-?[0-9.e+-]+)$/

/** Fails for a line that is no sample of a metric that was introduced. */
export function readScrape(text: string): Scrape {
  expect(text.endsWith('\n')).toBe(true)
  const series = new Map<string, number>()
  let family = { name: '', type: '' }
  for (const line of text.trimEnd().split('\n')) {
    const introduced = /^# TYPE vllm_router_([a-z_]+) (counter|gauge|histogram)$/.exec(line)
    if (introduced !== null) family = { name: introduced[1] ?? '', type: introduced[2] ?? '' }
    if (line.startsWith('# ')) continue
    const [, name = '', labels = '', value = ''] = SAMPLE.exec(line) ?? []
    const suffix = name.slice(family.name.length)
    const suffixes = family.type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
    expect(name.startsWith(family.name) && suffixes.includes(suffix), line).toBe(true)
    if (suffix !== '' && suffix !== '_count') continue
    expect(series.has(family.name + labels), `${line} stands there twice`).toBe(false)
    series.set(family.name + labels, Number(value))
  }
  return series
}

/** What has grown or come since, and by how much; levels that went down are left out. */
export function grownSince(before: Scrape, now: Scrape): Readonly<Record<string, number>> {
  const grown: Record<string, number> = {}
  for (const [name, value] of now) {
    const growth = value - (before.get(name) ?? 0)
    if (growth > 0) grown[name] = growth
  }
  return grown
}
