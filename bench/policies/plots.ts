// Plots of the figures as SVG, drawn from nothing but them.

import type { ContenderName } from './contenders.ts'
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

const BAR = { height: 14, gap: 4, left: 225, width: 420 }

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

const AREA = { left: 60, top: 30, width: 420, height: 280 }

/** What an axis names of each decade. */
const TICKS = [1, 2, 5]

/** Drawn last and wider than the others, as it is what the page is about. */
const FOREMOST: ContenderName = 'cache_aware'

/** What no router can know is drawn in dashes. */
const OMNISCIENT: readonly ContenderName[] = ['oracle', 'most_cached']

function drawLatency({ extent, main }: Results, trace: string): string {
  const runs = findRuns(main, { trace, workers: GOAL_WORKERS })
  const values = runs.map(({ figures }) => figures.firstTokenP90Ms / 1_000)
  // A logarithmic axis: policies differ by factors.
  const ticks = ticksAround(Math.min(...values, 1), Math.max(...values, 10))
  const [low, high] = [Math.log10(ticks[0] ?? 1), Math.log10(ticks.at(-1) ?? 10)]
  const yOf = (value: number) => AREA.top + AREA.height * (1 - (Math.log10(value) - low) / (high - low))
  const [first, last] = [Math.min(...extent.loads), Math.max(...extent.loads)]
  const xOf = (load: number) => AREA.left + (AREA.width * (load - first)) / (last - first || 1)
  const parts = [text(10, 16, `p90 of the first token, ${trace}, ${GOAL_WORKERS} workers`, 'font-weight="bold"')]
  for (const tick of ticks) {
    const y = round(yOf(tick))
    parts.push(
      `<line x1="${AREA.left}" x2="${AREA.left + AREA.width}" y1="${y}" y2="${y}" stroke="${INK}" stroke-opacity="0.25"/>`,
    )
    parts.push(text(AREA.left - 8, yOf(tick) + 4, `${tick} s`, 'text-anchor="end"'))
  }
  for (const load of extent.loads) {
    parts.push(text(xOf(load), AREA.top + AREA.height + 18, `${(load * 100).toFixed(0)} %`, 'text-anchor="middle"'))
  }
  parts.push(text(AREA.left + AREA.width / 2, AREA.top + AREA.height + 36, 'load', 'text-anchor="middle"'))
  const drawn = extent.contenders.map((contender, at) => {
    const points = findRuns(runs, { contender })
      .toSorted((one, other) => one.plan.load - other.plan.load)
      .map(({ plan, figures }) => ({ x: round(xOf(plan.load)), y: round(yOf(figures.firstTokenP90Ms / 1_000)) }))
    return { contender, line: drawLine(contender, at, points) }
  })
  const inFront = (contender: ContenderName) => Number(contender === FOREMOST)
  const ordered = drawn.toSorted((one, other) => inFront(one.contender) - inFront(other.contender))
  parts.push(...ordered.map(({ line }) => line))
  for (const [at, contender] of extent.contenders.entries()) {
    const y = AREA.top + 8 + at * 20
    const [from, to] = [AREA.left + AREA.width + 24, AREA.left + AREA.width + 44]
    parts.push(`<line x1="${from}" x2="${to}" y1="${y}" y2="${y}" ${strokeOf(contender, at)}/>`)
    parts.push(text(to + 8, y + 4, contender))
  }
  return frame(AREA.left + AREA.width + 260, AREA.top + AREA.height + 46, parts)
}

interface Point {
  readonly x: string
  readonly y: string
}

function drawLine(contender: ContenderName, at: number, points: readonly Point[]): string {
  const line = `<polyline points="${points.map(({ x, y }) => `${x},${y}`).join(' ')}" fill="none" ${strokeOf(contender, at)}/>`
  const dots = points.map(({ x, y }) => `<circle cx="${x}" cy="${y}" r="3" fill="${colorOf(at)}"/>`)
  return [line, ...dots].join('\n')
}

function strokeOf(contender: ContenderName, at: number): string {
  const dashes = OMNISCIENT.includes(contender) ? ' stroke-dasharray="5 4"' : ''
  return `stroke="${colorOf(at)}" stroke-width="${contender === FOREMOST ? 4 : 2}"${dashes}`
}

/** From the last tick at or below `low` to the first at or above `high`. */
function ticksAround(low: number, high: number): readonly number[] {
  const ticks: number[] = []
  for (let decade = Math.floor(Math.log10(low)); decade <= Math.ceil(Math.log10(high)); decade += 1) {
    // Parsed from text, so that 2 * 10 ** -1 is 0.2.
    for (const digit of TICKS) ticks.push(Number(`${digit}e${decade}`))
  }
  const from = ticks.findLastIndex((tick) => tick <= low)
  const to = ticks.findIndex((tick) => tick >= high)
  return ticks.slice(Math.max(0, from), to + 1)
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
