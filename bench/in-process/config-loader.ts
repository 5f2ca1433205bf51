// What loading a configuration costs, from YAML text to what a router runs on, as fleets grow.

import { loadConfig } from '../../src/config/load.ts'
import { policyRegistry } from '../../src/routing/policies/index.ts'
import { measureMicroseconds, type RoundsOptions } from '../in-process.ts'
import { type BenchTable, microseconds } from './table.ts'

/** Eight times the largest but one may cost eight times as much, and half as much again. */
const MAX_GROWTH = 1.5

interface Size {
  readonly workers: number
  readonly models: number
}

const SIZES: readonly Size[] = [
  { workers: 4, models: 1 },
  { workers: 128, models: 25 },
  { workers: 1_024, models: 200 },
]

/** Workers with their models, and an alias for each model. */
export function configText({ workers, models }: Size): string {
  const lines = Array.from({ length: workers }, (_, at) => {
    const labels = `{zone: z${at % 3}, gpu: h100}`
    return `  - {id: w${at}, url: "http://10.${at >> 8}.${at & 255}.1:8000", models: [org/model-${at % models}], labels: ${labels}}`
  })
  const rules = Array.from({ length: models }, (_, at) => `  - {match: alias-${at}, rewrite: org/model-${at}}`)
  return ['workers:', ...lines, 'model_rules:', ...rules, 'policy: least_load', ''].join('\n')
}

export async function benchConfigLoader(options: RoundsOptions): Promise<BenchTable> {
  const rows: string[][] = []
  const least: number[] = []
  for (const size of SIZES) {
    const text = configText(size)
    const cost = await measureMicroseconds(async () => {
      const loaded = await loadConfig(text, {
        env: () => undefined,
        policies: policyRegistry(),
        showsConnectPhase: true,
      })
      if (!loaded.ok) throw new Error(JSON.stringify(loaded.findings))
    }, options)
    least.push(cost.min)
    const name = `${size.workers.toLocaleString('en')} workers, ${size.models} models and aliases`
    rows.push([name, (text.length / 1_024).toFixed(1), microseconds(cost), (cost.min / size.workers).toFixed(1)])
  }
  const [, middle = Number.NaN, largest = Number.NaN] = least
  const growth = largest / middle / 8
  return {
    title: 'Loading a configuration',
    about: 'YAML to checked configuration, digest and findings included.',
    head: ['', 'KiB', 'us', 'us a worker'],
    rows,
    goals: [
      { what: `no worse than linear: ${growth.toFixed(2)} from 128 to 1,024 workers`, isMet: growth <= MAX_GROWTH },
    ],
  }
}
