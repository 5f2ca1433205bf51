// What monitoring/ ships names metrics and labels that exist, as Prometheus reads its expressions.

import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { parseSimWorkerArgs } from '../../cli/sim-worker.ts'
import { BUILT_IN_POLICIES } from '../../routing/policies/index.ts'
import { loadConfig } from '../../config/load.ts'
import { HOOK_OUTCOMES } from '../../pipeline/hook-outcomes.ts'
import { STREAM_ENDS } from '../../record/format.ts'
import type { Availability } from '../../routing/policy.ts'
import type { ServiceFailureReason } from '../../upstream/json-service.ts'
import { METRICS, type MetricDefinition } from './definitions.ts'

const AVAILABILITIES: readonly Availability[] = [
  'unknown',
  'up',
  'half_open',
  'suspect',
  'ejected',
  'down',
  'open',
  'hung',
]
const FAILURES: readonly ServiceFailureReason[] = ['timeout', 'unreachable', 'refused', 'bad_answer', 'breaker_open']
const LOOKUP_OUTCOMES: readonly string[] = ['ok', 'cached', ...FAILURES]

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

/** Values that labels take which come from no configuration, by metric where that matters. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  status: ['2xx', '3xx', '4xx', '5xx'],
  end: STREAM_ENDS,
  state: AVAILABILITIES,
  to: ['closed', 'open', 'half_open'],
  'vllm_router_cb_outcomes_total outcome': ['success', 'failure'],
  'vllm_router_hook_requests_total outcome': HOOK_OUTCOMES,
  'vllm_router_lookups_total outcome': LOOKUP_OUTCOMES,
  'vllm_router_metric_pushes_total outcome': ['taken', 'failed'],
  // A route that no request matched.
  route: ['other'],
}

/** Label, operator and value of each matcher; values of a regular expression one by one. */
function matchersIn(text: string): readonly (readonly [label: string, values: readonly string[]])[] {
  return [...text.matchAll(/(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g)].map(([, label = '', operator = '', value = '']) => {
    return [label, operator.endsWith('~') ? value.split('|') : [value]] as const
  })
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
      for (const [label, values] of matchersIn(matchers)) {
        expect(known, series).toContain(label)
        const possible = VALUES[`${series} ${label}`] ?? VALUES[label]
        if (TARGET_LABELS.includes(label)) continue
        for (const value of values) expect(possible, `${series} ${label}`).toContain(value)
      }
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

test('the compose file mounts what is there, and names versions', () => {
  const { services } = parse(textOf('compose.yaml'), { merge: true })
  for (const { image } of Object.values<{ image: string }>(services)) expect(image).toMatch(/^[\w./-]+:v?\d[\w.-]*$/)
  expect(Object.keys(services)).toEqual(['worker', 'router', 'collector', 'prometheus', 'grafana'])
  expect(services.router.command).toContain('monitoring/router.yaml')
  const flags = services.worker.command.split(' sim-worker ')[1].split(' ')
  expect(parseSimWorkerArgs(flags)).toMatchObject({ host: '0.0.0.0', port: 8000, models: expect.any(Array) })
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

test.skipIf(!hasPromtool && process.env['CI'] === undefined)('Prometheus takes its configuration', () => {
  const said = spawnSync('promtool', ['check', 'config', fileOf('prometheus/prometheus.yml')], { encoding: 'utf8' })
  expect(said.status, said.stderr + said.stdout).toBe(0)
})
