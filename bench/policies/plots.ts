// Plots of the figures as SVG, drawn from nothing but them.

import { GOAL_LOAD, GOAL_WORKERS } from './matrix.ts'
import type { Plot } from './page.ts'
import { findFigures, findRuns, type Results } from './results.ts'

/** Readable on light and dark pages. */
const COLORS = [
  '#8c8c8c',
  '#b07aa1',
  '#4e79a7',
  '#76b7b2',
  '#edc948',
  '#e15759',
  '#f28e2b',
  '#ff9da7',
  '#9c755f',
  '#bab0ac',
  '#59a14f',
  '#2f6b2b',
]

const FONT = 'font-family="sans-serif" font-size="12"'
const INK = '#777777'

/** What is found in caches, and when first tokens come. */
export function drawPlots(results: Results): readonly Plot[] {
  const { traces } = results.extent
  return [
    {
      file: 'policies-hits.svg',
      title: `Hits as a share of the ceiling, ${GOAL_WORKERS} workers, ${GOAL_LOAD * 100} % of capacity`,
      svg: drawHits(results),
    },
    ...traces.map((trace) => ({
      file: `policies-ttft-${trace.replaceAll('_', '-')}.svg`,
      title: `p90 of the first token by load, ${trace}, ${GOAL_WORKERS} workers`,
      svg: drawLatency(results, trace),
    })),
  ]
}

const BAR = { height: 14, gap: 4, left: 210, width: 420 }

function drawHits({ extent, main }: Results): string {
  const parts: string[] = []
  let y = 10
  for (const trace of extent.traces) {
    parts.push(text(10, y + 12, trace, 'font-weight="bold"'))
    y += 22
    for (const [at, contender] of extent.contenders.entries()) {
      const figures = findFigures(main, { trace, contender, workers: GOAL_WORKERS, load: GOAL_LOAD })
      if (figures === null) continue
      const width = Math.min(1, figures.ofCeiling) * BAR.width
      parts.push(text(BAR.left - 8, y + 11, contender, 'text-anchor="end"'))
      parts.push(
        `<rect x="${BAR.left}" y="${y}" width="${round(width)}" height="${BAR.height}" fill="${colorOf(at)}"/>`,
      )
      parts.push(text(BAR.left + width + 6, y + 11, `${(figures.ofCeiling * 100).toFixed(0)} %`))
      y += BAR.height + BAR.gap
    }
    y += 12
  }
  return frame(BAR.left + BAR.width + 60, y, parts)
}

const AREA = { left: 60, top: 15, width: 400, height: 260 }

function drawLatency({ extent, main }: Results, trace: string): string {
  const runs = findRuns(main, { trace, workers: GOAL_WORKERS })
  const values = runs.map(({ figures }) => figures.firstTokenP90Ms / 1_000)
  // A logarithmic axis over whole decades: policies differ by factors.
  const low = Math.floor(Math.log10(Math.min(...values, 1)))
  const high = Math.ceil(Math.log10(Math.max(...values, 10)))
  const yOf = (value: number) => AREA.top + AREA.height * (1 - (Math.log10(value) - low) / (high - low))
  const [first, last] = [Math.min(...extent.loads), Math.max(...extent.loads)]
  const xOf = (load: number) => AREA.left + (AREA.width * (load - first)) / (last - first || 1)
  const parts: string[] = []
  for (let decade = low; decade <= high; decade += 1) {
    const y = yOf(10 ** decade)
    parts.push(
      `<line x1="${AREA.left}" x2="${AREA.left + AREA.width}" y1="${round(y)}" y2="${round(y)}" stroke="${INK}" stroke-opacity="0.3"/>`,
    )
    parts.push(text(AREA.left - 6, y + 4, `${10 ** decade} s`, 'text-anchor="end"'))
  }
  for (const load of extent.loads) {
    parts.push(text(xOf(load), AREA.top + AREA.height + 18, `${(load * 100).toFixed(0)} %`, 'text-anchor="middle"'))
  }
  for (const [at, contender] of extent.contenders.entries()) {
    const points = findRuns(runs, { contender })
      .toSorted((one, other) => one.plan.load - other.plan.load)
      .map(({ plan, figures }) => `${round(xOf(plan.load))},${round(yOf(figures.firstTokenP90Ms / 1_000))}`)
    parts.push(`<polyline points="${points.join(' ')}" fill="none" stroke="${colorOf(at)}" stroke-width="2"/>`)
    const y = AREA.top + 8 + at * 20
    parts.push(`<rect x="${AREA.left + AREA.width + 24}" y="${y - 5}" width="14" height="4" fill="${colorOf(at)}"/>`)
    parts.push(text(AREA.left + AREA.width + 44, y + 2, contender))
  }
  return frame(AREA.left + AREA.width + 250, AREA.top + AREA.height + 30, parts)
}

function frame(width: number, height: number, parts: readonly string[]): string {
  const size = `width="${round(width)}" height="${round(height)}" viewBox="0 0 ${round(width)} ${round(height)}"`
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} ${FONT}>\n${parts.join('\n')}\n</svg>\n`
}

function text(x: number, y: number, words: string, extra = ''): string {
  return `<text x="${round(x)}" y="${round(y)}" fill="${INK}"${extra === '' ? '' : ` ${extra}`}>${words}</text>`
}

function colorOf(at: number): string {
  return COLORS[at % COLORS.length] ?? INK
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10)
}
