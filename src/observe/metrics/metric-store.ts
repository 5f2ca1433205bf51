// Counts, levels and distributions by label values, and their text for Prometheus (exposition format 0.0.4).

import { type Counts, type CountSeries, CountTable, type Levels } from '../../store/fleet-counts.ts'
import { LabelTree } from '../label-tree.ts'
import { ALL_METRIC_NAMES, METRICS, type MetricDefinition, type MetricName } from './definitions.ts'

type NamesOf<Type extends MetricDefinition['type']> = {
  [Name in MetricName]: (typeof METRICS)[Name]['type'] extends Type ? Name : never
}[MetricName]

/** One value per label, in the order of the definition. */
export type LabelValues<Name extends MetricName> = Strings<(typeof METRICS)[Name]['labels']> & readonly string[]

type Strings<Labels extends readonly string[]> = { readonly [At in keyof Labels]: string }

/** What may stand between label values: no header, model or worker id holds it. */
const SEPARATOR = '\u0000'

/** Names a series among those of its metric. */
export function keyOf(labels: readonly string[]): string {
  return labels.join(SEPARATOR)
}

/** A series as it is told of: a row of one number, or of a distribution its buckets, not cumulative, and its sum. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>
  readonly row: readonly number[]
}

/** One metric with its series. */
export interface Family {
  readonly name: MetricName
  readonly definition: MetricDefinition
  readonly series: readonly Series[]
}

export class MetricStore {
  readonly #counts = new CountTable()
  /** Series of the table by their labels, for as long as they are part of it. */
  #found = new LabelTree<CountSeries>()
  #foundEpoch = 0
  readonly #levels = new Map<string, ReadonlyMap<string, number>>()
  /** Where counts that somebody else keeps stood when they were last looked at. */
  readonly #readings = new Map<string, number>()

  add<Name extends NamesOf<'counter'>>(name: Name, labels: LabelValues<Name>, amount = 1): void {
    const row = this.#row(name, labels, 1)
    row[0] = (row[0] ?? 0) + amount
  }

  /** Of a histogram; `value` in seconds. */
  observe<Name extends NamesOf<'histogram'>>(name: Name, labels: LabelValues<Name>, value: number): void {
    const { buckets } = METRICS[name]
    const row = this.#row(name, labels, buckets.length + 2)
    let at = 0
    while (at < buckets.length && value > (buckets[at] ?? 0)) at += 1
    row[at] = (row[at] ?? 0) + 1
    row[buckets.length + 1] = (row[buckets.length + 1] ?? 0) + value
  }

  /** Replaces every series of a level; what is not given any more goes away. */
  setAll<Name extends NamesOf<'gauge'>>(
    name: Name,
    values: Iterable<readonly [labels: LabelValues<Name>, value: number]>,
  ): void {
    const series = new Map<string, number>()
    for (const [labels, value] of values) series.set(keyOf(labels), value)
    this.#levels.set(name, series)
  }

  /** A count that somebody else keeps: adds what it has grown by. One that has gone back has begun anew. */
  follow<Name extends NamesOf<'counter'>>(name: Name, labels: LabelValues<Name>, total: number): void {
    const key = keyOf([name, ...labels])
    const before = this.#readings.get(key) ?? 0
    this.#readings.set(key, total)
    this.add(name, labels, total < before ? total : total - before)
  }

  /** What was counted since this was last asked; it is forgotten here. Null when nothing was. */
  takeCounts(): Counts | null {
    return this.#counts.isEmpty() ? null : this.#counts.take()
  }

  levels(): Levels {
    return Object.fromEntries(Array.from(this.#levels, ([name, series]) => [name, Object.fromEntries(series)]))
  }

  #row(name: MetricName, labels: readonly string[], width: number): number[] {
    if (this.#foundEpoch !== this.#counts.epoch) {
      this.#found = new LabelTree()
      this.#foundEpoch = this.#counts.epoch
    }
    const slot = this.#found.slot(name, labels)
    if (slot.value === null) slot.value = this.#counts.series(name, keyOf(labels), width)
    else this.#counts.touch(slot.value)
    return slot.value.row
  }

  /** Every metric, those without a series yet among them. */
  families(): readonly Family[] {
    return familiesOf(
      (name) => fromZero(name, this.#counts.of(name)),
      (name) => this.#levels.get(name) ?? [],
    )
  }
}

/** Counts, where they can be had, and levels from elsewhere as metrics; what this version does not know is left out. */
export function toFamilies(counts: Counts | null, levels: Levels): readonly Family[] {
  return familiesOf(
    (name) => (counts === null ? [] : fromZero(name, Object.entries(counts[name] ?? {}))),
    (name) => Object.entries(levels[name] ?? {}),
  )
}

type Row = readonly [key: string, row: readonly number[]]

/** A counter without labels stands at nought before its first event: an alert sees no growth in a series that begins with it. */
function fromZero(name: MetricName, rows: Iterable<Row>): readonly Row[] {
  const { type, labels } = METRICS[name]
  const known = [...rows]
  return known.length === 0 && type === 'counter' && labels.length === 0 ? [['', [0]]] : known
}

function familiesOf(
  rowsOf: (name: MetricName) => Iterable<Row>,
  levelsOf: (name: string) => Iterable<readonly [key: string, value: number]>,
): readonly Family[] {
  return ALL_METRIC_NAMES.map((name) => {
    const definition: MetricDefinition = METRICS[name]
    const rows = [...rowsOf(name), ...Array.from(levelsOf(name), ([key, value]) => [key, [value]] as const)]
    const width = definition.buckets === undefined ? 1 : definition.buckets.length + 2
    const series = rows.flatMap(([key, row]) => {
      return row.length === width ? [{ labels: toLabels(definition.labels, key), row }] : []
    })
    return { name, definition, series }
  })
}

function toLabels(names: readonly string[], key: string): Readonly<Record<string, string>> {
  const values = names.length === 0 ? [] : key.split(SEPARATOR)
  return Object.fromEntries(names.map((name, at) => [name, values[at] ?? '']))
}

export function toText(families: readonly Family[]): string {
  let text = ''
  for (const { name, definition, series } of families) {
    text += `# HELP ${name} ${definition.help}\n# TYPE ${name} ${definition.type}\n`
    for (const { labels, row } of series) {
      if (definition.buckets === undefined) text += `${name}${labelText(labels)} ${row[0]}\n`
      else text += distributionText(name, definition.buckets, labels, row)
    }
  }
  return text
}

function distributionText(
  name: string,
  bounds: readonly number[],
  labels: Series['labels'],
  row: Series['row'],
): string {
  let text = ''
  let total = 0
  for (const [at, bound] of [...bounds, '+Inf'].entries()) {
    total += row[at] ?? 0
    text += `${name}_bucket${labelText({ ...labels, le: String(bound) })} ${total}\n`
  }
  const own = labelText(labels)
  return `${text}${name}_sum${own} ${row[bounds.length + 1]}\n${name}_count${own} ${total}\n`
}

function labelText(labels: Series['labels']): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
