// What monitoring/ ships names metrics and labels that exist, as Prometheus reads its expressions.

import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { BUILT_IN_POLICIES } from '../../routing/policies/index.ts'
import { loadConfig } from '../../config/load.ts'
import { METRICS, type MetricDefinition } from './definitions.ts'

const fileOf = (path: string) => fileURLToPath(new URL(`../../../monitoring/${path}`, import.meta.url))
const textOf = (path: string) => readFileSync(fileOf(path), 'utf8')

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets?: readonly { readonly expr: string }[] }[]
  readonly templating: { readonly list: readonly { readonly query: string | { readonly query: string } }[] }
}

const dashboard: Dashboard = JSON.parse(textOf('grafana/dashboards/router.json'))
const rules: { groups: { rules: { alert: string; expr: string }[] }[] } = parse(textOf('prometheus/alerts.yml'))
const alerts = rules.groups.flatMap((group) => group.rules)

const expressions: readonly (readonly [where: string, expression: string])[] = [
  ...alerts.map(({ alert, expr }) => [alert, expr] as const),
  ...dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [title, expr] as const)),
  ...dashboard.templating.list.flatMap(({ query }) => {
    return typeof query === 'string' ? [] : [['a variable', query.query] as const]
  }),
]

/** Of Prometheus itself. */
const TARGET_LABELS = ['instance', 'job', 'le']
const definitions = new Map(Object.entries<MetricDefinition>(METRICS))

/** The metric that a series belongs to; undefined for none. */
function definitionOf(series: string): MetricDefinition | undefined {
  const ofHistogram = definitions.get(series.replace(/_(bucket|sum|count)$/, ''))
  return definitions.get(series) ?? (ofHistogram?.type === 'histogram' ? ofHistogram : undefined)
}

describe.each(expressions)('%s: %s', (_where, expression) => {
  const used = [...expression.matchAll(/\b(vllm_\w+)(?:\{([^}]*)\})?/g)]

  test('names metrics of the router and their labels', () => {
    expect(used.length).toBeGreaterThan(0)
    const labels = new Set(TARGET_LABELS)
    for (const [, series = '', matchers = ''] of used) {
      const definition = definitionOf(series)
      expect(definition, series).toBeDefined()
      if (definition?.type === 'histogram') expect(series).toMatch(/_(bucket|sum|count)$/)
      const known = [...TARGET_LABELS, ...(definition?.labels ?? [])]
      for (const label of known) labels.add(label)
      for (const [, label] of matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)) expect(known, series).toContain(label)
    }
    for (const [, list = ''] of expression.matchAll(/\bby \(([^)]*)\)/g)) {
      for (const label of list.split(', ')) expect([...labels]).toContain(label)
    }
  })
})

test('every metric is somewhere on the dashboard', () => {
  const shown = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)).join(' ')
  const missing = [...definitions.keys()].filter((name) => !shown.includes(name))
  // Its hits and misses are there, and how near they were is of use when a threshold is chosen.
  const left = ['cache_similarity', 'cluster_similarity', 'tokenize_duration_seconds', 'processed_requests_total']
  expect(missing.map((name) => name.replace('vllm_router_', '')).toSorted()).toEqual(left.toSorted())
})

test('the configuration of the example is good', async () => {
  const options = { env: () => undefined, policies: BUILT_IN_POLICIES, source: 'router.yaml' }
  expect((await loadConfig(textOf('router.yaml'), options)).findings).toEqual([])
})

test('the compose file mounts what is there', () => {
  const { services } = parse(textOf('compose.yaml'), { merge: true })
  expect(Object.keys(services)).toEqual(['worker', 'router', 'collector', 'prometheus', 'grafana'])
  expect(services.router.command).toContain('monitoring/router.yaml')
  for (const volume of Object.values<{ volumes?: string[] }>(services).flatMap(({ volumes = [] }) => volumes)) {
    expect(() => execFileSync('test', ['-e', fileOf(volume.split(':')[0] ?? '')])).not.toThrow()
  }
})

// Debian has it in the package `prometheus`, which CI installs.
const hasPromtool = spawnSync('promtool', ['--version']).status === 0
test.skipIf(!hasPromtool && process.env['CI'] === undefined)('Prometheus takes the rules', () => {
  const said = spawnSync('promtool', ['check', 'rules', fileOf('prometheus/alerts.yml')], { encoding: 'utf8' })
  expect(said.status, said.stderr + said.stdout).toBe(0)
  expect(said.stdout).toContain(`${alerts.length} rules found`)
})
