// docs/bench/soak.md: one section a runtime; a run replaces those of the runtimes it had.

import { existsSync, readFileSync } from 'node:fs'
import { type Machine, machineLines } from '../machine.ts'
import { markdownTable, type Row, writePage } from '../pages.ts'
import type { Sample } from './samples.ts'
import type { SoakReport } from './soak.ts'

const HEAD: readonly string[] = [
  '# Soak',
  '',
  'Written by `npm run soak`. Chats, streams and embeddings at a steady rate, one caller in seven leaving in the middle, while workers die,',
  'streams are cut, workers hang, are drained and put back, and configurations are published, one after the other.',
  '',
]

/** Rows of the table over time. */
const ROWS = 12

export function writeSoakPage(reports: readonly (readonly [SoakReport, Machine, readonly string[]])[]): string {
  const sections = new Map(sectionsOf(currentPage()))
  for (const [report, machine, complaints] of reports) {
    sections.set(report.runtime, sectionText(report, machine, complaints))
  }
  return writePage('soak.md', [...HEAD, ...[...sections.values()].map((text) => text.trimEnd() + '\n')].join('\n'))
}

function currentPage(): string {
  const path = new URL('../../docs/bench/soak.md', import.meta.url)
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}

function sectionsOf(page: string): readonly (readonly [string, string])[] {
  return page.split(/^(?=## )/m).flatMap((part) => {
    const [, runtime] = /^## (\w+)/.exec(part) ?? []
    return runtime === undefined ? [] : [[runtime, part] as const]
  })
}

function sectionText(report: SoakReport, machine: Machine, complaints: readonly string[]): string {
  const { runtime, seconds, requestsPerSecond, outcomes, troubles, samples, memoryMbPerMinute, before, after } = report
  const words = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count.toLocaleString('en')}`)
      .join(', ')
  const step = Math.max(1, Math.ceil(samples.length / ROWS))
  const shown = [before, ...samples.filter((_, at) => at % step === step - 1), after]
  const head = ['minute', 'RSS MiB', 'file descriptors', 'sockets', 'in flight']
  return [
    `## ${runtime}, ${(seconds / 60).toFixed(0)} minutes at ${requestsPerSecond} requests a second`,
    '',
    ...machineLines(machine).map((line) => `- ${line}`),
    `- requests: ${words(outcomes)}`,
    `- trouble: ${words(troubles)}`,
    `- memory over the second half: ${memoryMbPerMinute.toFixed(2)} MiB a minute`,
    `- leases at the end: ${after.inFlight}; requests left at workers: ${report.leftAtWorkers}; file descriptors ${before.fileDescriptors} before, ${after.fileDescriptors} after; sockets ${before.sockets} before, ${after.sockets} after`,
    ...(complaints.length === 0 ? ['- nothing to complain of'] : complaints.map((complaint) => `- **${complaint}**`)),
    '',
    'The first row is before the first request, the last eight seconds after all had ended.',
    '',
    markdownTable(head, shown.map(sampleRow)),
    '',
  ].join('\n')
}

function sampleRow({ atSeconds, memoryMb, fileDescriptors, sockets, inFlight }: Sample): Row {
  return [(atSeconds / 60).toFixed(1), memoryMb.toFixed(0), String(fileDescriptors), String(sockets), String(inFlight)]
}
