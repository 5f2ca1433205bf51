// The report as one page that needs nothing else: no script, no style sheet, no font and no picture from anywhere.

import { compareChart, latencyChart, shareChart, stackedBar } from './html-charts.ts'
import { PAGE_STYLE } from './html-style.ts'
import { escaped, type Html, html, joined } from './html-text.ts'
import type { ReplayOutput, ReplayReport } from './report-schema.ts'
import { toNumber, toPercent } from './sentence.ts'

/** Rows of a table, and bars of a plot. */
const MAX_ROWS = 40

export function toHtml(output: ReplayOutput): string {
  const reports: readonly ReplayReport[] = 'reports' in output ? output.reports : [output]
  const body = html`<header>
      <p class="kicker">vllm-edge-router replay</p>
      ${joined(reports.map(({ sentence }) => html`<h1>${sentence}</h1>`))}
    </header>
    <main>
      ${reports.length > 1 ? sideBySide(reports) : ''}
      ${joined(reports.map((report) => section(report, reports.length)))} ${linesOf(output.lines)}
    </main>`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(reports[0]?.sentence ?? 'replay')}</title>
<style>${PAGE_STYLE}</style>
</head>
<body>${body.text}</body>
</html>
`
}

function sideBySide(reports: readonly ReplayReport[]): Html {
  const bars = reports.map(({ configuration, same, different }) => ({ label: configuration.name, same, different }))
  return html`<section class="card">
    <h2>Side by side</h2>
    ${compareChart(bars)}
    ${table(
      ['configuration', 'policy', 'same', 'different', 'newly refused', 'not comparable', 'hotspot'],
      reports.map((report) => [
        report.configuration.name,
        report.configuration.policy,
        toNumber(report.same),
        toNumber(report.different),
        toNumber(report.newly_refused),
        toNumber(report.not_comparable),
        toRatio(report.after.hotspot),
      ]),
    )}
  </section>`
}

function section(report: ReplayReport, of: number): Html {
  const { configuration, against, period } = report
  const compared = against === null ? 'what was recorded' : `${against.name} (${against.policy})`
  return html`<section>
    ${of > 1 ? html`<h2 class="name">${configuration.name}</h2>` : ''}
    <p class="about">
      <b>${configuration.name}</b> (${configuration.policy}, <code>${configuration.hash}</code>) against
      ${compared}${period === null ? '' : html`, ${period.from} to ${period.to}`}
    </p>
    <div class="tiles">${tiles(report)}</div>
    <div class="card">${stackedBar(partsOf(report))}</div>
    <div class="grid">${workers(report)} ${latencies(report)} ${causes(report)} ${groupsOf(report)}</div>
  </section>`
}

function tiles(report: ReplayReport): Html {
  const compared = report.same + report.different
  const all: (readonly [string, string, string])[] = [
    ['moved', toPercent(report.different, compared), `${toNumber(report.different)} of ${toNumber(compared)} compared`],
    ['hotspot', `${toRatio(report.before.hotspot)} → ${toRatio(report.after.hotspot)}`, 'largest share × workers'],
    ['newly refused', toNumber(report.newly_refused), `${toNumber(report.newly_served)} newly served`],
    ['not comparable', toNumber(report.not_comparable), `of ${toNumber(report.total)} records`],
    ...modelledTile(report),
    ...prefixTile(report),
  ]
  return joined(
    all.map(
      ([label, value, note]) =>
        html`<div class="tile"><span>${label}</span><strong>${value}</strong><small>${note}</small></div>`,
    ),
  )
}

function modelledTile({ modelled, exact }: ReplayReport): (readonly [string, string, string])[] {
  const count = modelled.same + modelled.different
  return count === 0 ? [] : [['modelled', toNumber(count), `${toNumber(exact.same + exact.different)} exact`]]
}

function prefixTile({ prefix }: ReplayReport): (readonly [string, string, string])[] {
  if (prefix === null) return []
  const share = (side: 'before' | 'after') => toPercent(prefix[side].cached_tokens, prefix[side].tokens)
  return [['prefix cached (modelled)', `${share('before')} → ${share('after')}`, `${toNumber(prefix.records)} prompts`]]
}

function partsOf(report: ReplayReport) {
  return [
    { label: 'same', count: report.same, kind: 'same' },
    { label: 'different', count: report.different, kind: 'different' },
    { label: 'newly refused', count: report.newly_refused, kind: 'refused' },
    { label: 'newly served', count: report.newly_served, kind: 'served' },
    { label: 'no worker in either', count: report.neither, kind: 'neither' },
    { label: 'not comparable', count: report.not_comparable, kind: 'unknown' },
  ] as const
}

function workers({ workers: byId, before, after }: ReplayReport): Html {
  const rows = Object.entries(byId).sort(([, one], [, other]) => other.after - one.after)
  if (rows.length === 0) return html``
  const bars = rows.slice(0, MAX_ROWS).map(([id, worker]) => ({
    label: id,
    before: before.requests === 0 ? 0 : worker.before / before.requests,
    after: after.requests === 0 ? 0 : worker.after / after.requests,
  }))
  return html`<section class="card wide">
    <h2>Load by worker</h2>
    ${shareChart(bars, after.workers)}
    ${table(
      ['worker', 'before', 'after', 'left', 'came'],
      rows
        .slice(0, MAX_ROWS)
        .map(([id, worker]) => [id, ...[worker.before, worker.after, worker.left, worker.came].map(toNumber)]),
    )}
    ${more(rows.length)}
  </section>`
}

function latencies({ latency_ms: latency }: ReplayReport): Html {
  if (latency.count === 0) return html``
  const value = (milliseconds: number | null) => (milliseconds === null ? '–' : `${toNumber(milliseconds)} ms`)
  return html`<section class="card">
    <h2>Original latency</h2>
    ${latencyChart(latency)}
    <p class="note">
      P50 ${value(latency.p50)}, P90 ${value(latency.p90)}, P99 ${value(latency.p99)}. As recorded; no prediction.
    </p>
  </section>`
}

function causes({ causes: byCause, not_comparable_reasons: reasons }: ReplayReport): Html {
  const rows = Object.entries(byCause).filter(([, count]) => count > 0)
  if (rows.length === 0) return html``
  return html`<section class="card">
    <h2>Where it comes from</h2>
    ${table(
      ['cause', 'requests'],
      rows.map(([cause, count]) => [cause.replaceAll('_', ' '), toNumber(count)]),
    )}
    ${
      reasons.length === 0
        ? ''
        : html`<h3>Not comparable</h3>
            ${table(
              ['why', 'requests'],
              reasons.slice(0, MAX_ROWS).map(({ why, count }) => [why, toNumber(count)]),
            )}
            ${more(reasons.length)}`
    }
  </section>`
}

function groupsOf({ policies, models, by }: ReplayReport): Html {
  return joined([
    groupTable('By policy then', policies),
    groupTable('By model then', models),
    by === null ? html`` : groupTable(`By ${by.key}`, by.groups),
  ])
}

function groupTable(title: string, groups: ReplayReport['models']): Html {
  const rows = Object.entries(groups).sort(([, one], [, other]) => other.total - one.total)
  if (rows.length === 0) return html``
  return html`<section class="card">
    <h2>${title}</h2>
    ${table(
      ['', 'total', 'same', 'different', 'moved'],
      rows
        .slice(0, MAX_ROWS)
        .map(([name, { total, same, different }]) => [
          name,
          toNumber(total),
          toNumber(same),
          toNumber(different),
          toPercent(different, same + different),
        ]),
    )}
    ${more(rows.length)}
  </section>`
}

function linesOf({ unreadable, reasons }: ReplayOutput['lines']): Html {
  if (unreadable === 0) return html``
  return html`<section class="card">
    <h2>${toNumber(unreadable)} lines that are no record</h2>
    ${table(
      ['why', 'lines', 'first at'],
      reasons.slice(0, MAX_ROWS).map(({ why, count, first }) => [why, toNumber(count), first]),
    )}
  </section>`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): Html {
  const cells = (row: readonly string[]) => joined(row.map((cell) => html`<td>${cell}</td>`))
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          ${joined(head.map((cell) => html`<th>${cell}</th>`))}
        </tr>
      </thead>
      <tbody>
        ${joined(
          rows.map(
            (row) =>
              html`<tr>
                ${cells(row)}
              </tr>`,
          ),
        )}
      </tbody>
    </table>
  </div>`
}

function more(rows: number): Html {
  return rows <= MAX_ROWS ? html`` : html`<p class="note">and ${toNumber(rows - MAX_ROWS)} more; --json has all</p>`
}

function toRatio(value: number | null): string {
  return value === null ? '–' : value.toFixed(2)
}
