// Counts, levels and distributions by label values, and their text for Prometheus (exposition format 0.0.4).

import { METRICS, type MetricDefinition, type MetricName } from './definitions.ts'

/** Most series of one metric. Labels are bounded before they come here; this is for what slips through. */
const MAX_SERIES = 4_096

type NamesOf<Type extends MetricDefinition['type']> = {
  [Name in MetricName]: (typeof METRICS)[Name]['type'] extends Type ? Name : never
}[MetricName]

/** One value per label, in the order of the definition. */
export type LabelValues<Name extends MetricName> = Strings<(typeof METRICS)[Name]['labels']> & readonly string[]

type Strings<Labels extends readonly string[]> = { readonly [At in keyof Labels]: string }

interface Distribution {
  /** One count per bucket, the last for what is above all bounds. Not cumulative. */
  readonly counts: number[]
  sum: number
}

/** What may stand between label values: no header, model or worker id holds it. */
const SEPARATOR = '\u0000'

export class MetricStore {
  readonly #numbers = new Map<MetricName, Map<string, number>>()
  readonly #distributions = new Map<MetricName, Map<string, Distribution>>()

  add<Name extends NamesOf<'counter'>>(name: Name, labels: LabelValues<Name>, amount = 1): void {
    const series = seriesOf(this.#numbers, name)
    const key = labels.join(SEPARATOR)
    const before = series.get(key)
    if (before === undefined && series.size >= MAX_SERIES) return
    series.set(key, (before ?? 0) + amount)
  }

  /** Of a histogram; `value` in seconds. */
  observe<Name extends NamesOf<'histogram'>>(name: Name, labels: LabelValues<Name>, value: number): void {
    const series = seriesOf(this.#distributions, name)
    const key = labels.join(SEPARATOR)
    const { buckets } = METRICS[name]
    let distribution = series.get(key)
    if (distribution === undefined) {
      if (series.size >= MAX_SERIES) return
      distribution = { counts: Array.from({ length: buckets.length + 1 }, () => 0), sum: 0 }
      series.set(key, distribution)
    }
    let at = 0
    while (at < buckets.length && value > (buckets[at] ?? 0)) at += 1
    distribution.counts[at] = (distribution.counts[at] ?? 0) + 1
    distribution.sum += value
  }

  /** Replaces every series of a level; what is not given any more goes away. */
  setAll<Name extends NamesOf<'gauge'>>(
    name: Name,
    values: Iterable<readonly [labels: LabelValues<Name>, value: number]>,
  ): void {
    const series = new Map<string, number>()
    for (const [labels, value] of values) series.set(labels.join(SEPARATOR), value)
    this.#numbers.set(name, series)
  }

  /** A count that somebody else keeps. */
  setCount<Name extends NamesOf<'counter'>>(name: Name, labels: LabelValues<Name>, value: number): void {
    seriesOf(this.#numbers, name).set(labels.join(SEPARATOR), value)
  }

  /** Every metric with its help and type, those without a series yet among them. */
  expose(): string {
    let text = ''
    for (const [name, definition] of Object.entries<MetricDefinition>(METRICS)) {
      const { help, type, labels } = definition
      text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`
      const known = name as MetricName // a key of METRICS
      for (const [key, value] of this.#numbers.get(known) ?? []) {
        text += `${name}${labelsOf(labels, key)} ${value}\n`
      }
      for (const [key, distribution] of this.#distributions.get(known) ?? []) {
        text += distributionText(name, definition, key, distribution)
      }
    }
    return text
  }
}

function seriesOf<Series>(of: Map<MetricName, Map<string, Series>>, name: MetricName): Map<string, Series> {
  let series = of.get(name)
  if (series === undefined) {
    series = new Map()
    of.set(name, series)
  }
  return series
}

function distributionText(
  name: string,
  { labels, buckets = [] }: MetricDefinition,
  key: string,
  { counts, sum }: Distribution,
): string {
  let text = ''
  let total = 0
  counts.forEach((count, at) => {
    total += count
    text += `${name}_bucket${labelsOf(labels, key, String(buckets[at] ?? '+Inf'))} ${total}\n`
  })
  const own = labelsOf(labels, key)
  return `${text}${name}_sum${own} ${sum}\n${name}_count${own} ${total}\n`
}

function labelsOf(names: readonly string[], key: string, bound?: string): string {
  const values = names.length === 0 ? [] : key.split(SEPARATOR)
  const pairs = names.map((name, at) => `${name}="${escaped(values[at] ?? '')}"`)
  if (bound !== undefined) pairs.push(`le="${bound}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
