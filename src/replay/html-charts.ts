// The plots of a report, as SVG within the page.

import { type Html, html, joined } from './html-text.ts'
import type { ReplayReport } from './report-schema.ts'
import { toNumber, toPercent } from './sentence.ts'

/** Units of the drawings; a page scales them. */
const WIDTH = 1_000
const LABEL = 230
const VALUE = 130
const ROOM = WIDTH - LABEL - VALUE

/** Characters of a label; the table below has all of it. */
const MAX_LABEL = 34

export interface Part {
  readonly label: string
  readonly count: number
  /** The class that colours it. */
  readonly kind: 'same' | 'different' | 'refused' | 'served' | 'neither' | 'unknown'
}

/** One bar of all records, and what its colours stand for. */
export function stackedBar(parts: readonly Part[]): Html {
  const total = parts.reduce((sum, { count }) => sum + count, 0)
  let at = 0
  const pieces = parts.map(({ label, count, kind }) => {
    const width = total === 0 ? 0 : (count / total) * WIDTH
    const piece = html`<rect class="${kind}" x="${toUnits(at)}" y="0" width="${toUnits(width)}" height="26">
      <title>${label}: ${toNumber(count)}</title>
    </rect>`
    at += width
    return piece
  })
  const legend = parts
    .filter(({ count }) => count > 0)
    .map(({ label, count, kind }) => html`<span><i class="${kind}"></i>${label} ${toPercent(count, total)}</span>`)
  return html`<svg viewBox="0 0 ${WIDTH} 26" role="img" aria-label="What became of the records">${joined(pieces)}</svg>
    <p class="legend">${joined(legend)}</p>`
}

export interface ShareBar {
  readonly label: string
  /** From 0 to 1. */
  readonly before: number
  readonly after: number
}

/** Two bars for each worker, and a line where all of the `workers` there are to choose from would have as much. */
export function shareChart(bars: readonly ShareBar[], workers: number): Html {
  const most = Math.max(...bars.flatMap(({ before, after }) => [before, after]), 0.01)
  const rows = bars.map(({ label, before, after }, at) => {
    const y = at * 34
    return html`<text x="${LABEL - 10}" y="${y + 19}" text-anchor="end"
        ><title>${label}</title>${shortened(label)}</text
      >
      <rect
        class="before"
        x="${LABEL}"
        y="${y + 4}"
        width="${toUnits((before / most) * ROOM)}"
        height="10"
        rx="2"
      ></rect>
      <rect
        class="after"
        x="${LABEL}"
        y="${y + 16}"
        width="${toUnits((after / most) * ROOM)}"
        height="10"
        rx="2"
      ></rect>
      <text class="soft" x="${WIDTH}" y="${y + 19}" text-anchor="end"
        >${toPercent(before, 1)} → ${toPercent(after, 1)}</text
      >`
  })
  const height = bars.length * 34
  const even = LABEL + ROOM / Math.max(1, workers) / most
  const line =
    even <= LABEL + ROOM
      ? html`<line
          class="axis"
          x1="${toUnits(even)}"
          x2="${toUnits(even)}"
          y1="0"
          y2="${height}"
          stroke-dasharray="4 4"
        ></line>`
      : html``
  return html`<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Share of the requests by worker">
      ${line}${joined(rows)}
    </svg>
    <p class="legend">
      <span><i class="before"></i>before</span><span><i class="after"></i>after</span>
    </p>`
}

/** How many stay and how many go, a bar for each configuration. */
export function compareChart(
  bars: readonly { readonly label: string; readonly same: number; readonly different: number }[],
): Html {
  const rows = bars.map(({ label, same, different }, at) => {
    const compared = Math.max(1, same + different)
    const y = at * 34
    const stay = (same / compared) * ROOM
    return html`<text x="${LABEL - 10}" y="${y + 19}" text-anchor="end"
        ><title>${label}</title>${shortened(label)}</text
      >
      <rect class="same" x="${LABEL}" y="${y + 5}" width="${toUnits(stay)}" height="20" rx="2"></rect>
      <rect
        class="different"
        x="${toUnits(LABEL + stay)}"
        y="${y + 5}"
        width="${toUnits((different / compared) * ROOM)}"
        height="20"
        rx="2"
      ></rect>
      <text class="soft" x="${WIDTH}" y="${y + 19}" text-anchor="end">${toPercent(different, compared)} moved</text>`
  })
  return html`<svg viewBox="0 0 ${WIDTH} ${bars.length * 34}" role="img" aria-label="Requests that stay and that move">
      ${joined(rows)}
    </svg>
    <p class="legend">
      <span><i class="same"></i>same worker</span><span><i class="different"></i>different</span>
    </p>`
}

const COLUMNS = 60
const HEIGHT = 120

/** Drawn for half a page. */
const HALF_WIDTH = 480

/** Requests by latency, on an axis where each step is as many times the one before. */
export function latencyChart({ histogram, p50, p99 }: ReplayReport['latency_ms']): Html {
  const ends = histogram.map(([end]) => end)
  const low = Math.log(Math.max(1, ends[0] ?? 1))
  const high = Math.max(low + 0.1, Math.log(Math.max(1, ends.at(-1) ?? 1)))
  const columnOf = (ms: number) => {
    return Math.min(COLUMNS - 1, Math.floor(((Math.log(Math.max(1, ms)) - low) / (high - low)) * COLUMNS))
  }
  const columns = Array.from({ length: COLUMNS }, () => 0)
  for (const [end, count] of histogram) columns[columnOf(end)] = (columns[columnOf(end)] ?? 0) + count
  const most = Math.max(...columns, 1)
  const step = HALF_WIDTH / COLUMNS
  const bars = columns.map((count, at) => {
    const height = (count / most) * HEIGHT
    return html`<rect
      class="after"
      x="${toUnits(at * step + 0.5)}"
      y="${toUnits(HEIGHT - height)}"
      width="${toUnits(step - 1)}"
      height="${toUnits(height)}"
    ></rect>`
  })
  const mark = (label: string, ms: number | null) => {
    if (ms === null) return html``
    const x = columnOf(ms) * step + step / 2
    const anchor = x > HALF_WIDTH - 60 ? 'end' : 'start'
    return html`<line
        class="axis"
        x1="${toUnits(x)}"
        x2="${toUnits(x)}"
        y1="-18"
        y2="${HEIGHT}"
        stroke-dasharray="4 4"
      ></line>
      <text class="soft" x="${toUnits(anchor === 'end' ? x - 6 : x + 6)}" y="-6" text-anchor="${anchor}"
        >${label}</text
      >`
  }
  return html`<svg viewBox="0 -20 ${HALF_WIDTH} ${HEIGHT + 42}" role="img" aria-label="Requests by latency">
    ${joined(bars)}${mark('P50', p50)}${mark('P99', p99)}
    <line class="axis" x1="0" x2="${HALF_WIDTH}" y1="${HEIGHT}" y2="${HEIGHT}"></line>
    <text class="soft" x="0" y="${HEIGHT + 18}">${toNumber(ends[0] ?? 0)} ms</text>
    <text class="soft" x="${HALF_WIDTH}" y="${HEIGHT + 18}" text-anchor="end">${toNumber(ends.at(-1) ?? 0)} ms</text>
  </svg>`
}

function shortened(label: string): string {
  return label.length <= MAX_LABEL ? label : `…${label.slice(1 - MAX_LABEL)}`
}

function toUnits(value: number): string {
  return String(Math.round(value * 10) / 10)
}
