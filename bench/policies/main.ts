// `npm run bench:policies`: what each routing policy makes of a trace of real requests.

import { mkdirSync, writeFileSync } from 'node:fs'
import { describeMachine } from '../machine.ts'
import { HTTP_COLUMNS, httpLines, toHttpPage } from './http-page.ts'
import { HELP, parsePolicyBenchOptions, type PolicyBenchOptions } from './options.ts'
import { runOverHttp } from './over-http.ts'
import { toPage } from './page.ts'
import { drawPlots } from './plots.ts'
import { findRuns, type Results } from './results.ts'
import { COLUMNS, linesOf, toMarkdownTable } from './tables.ts'
import { runVirtual } from './virtual.ts'

async function benchVirtual(options: PolicyBenchOptions): Promise<void> {
  const { directory, limit, extent, threads, outputDirectory, isQuick } = options
  const results = await runVirtual({
    source: { directory, limit },
    extent,
    threads,
    isQuick,
    onProgress(done, total) {
      if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${total} runs${done === total ? '\n' : ''}`)
    },
  })
  if (outputDirectory !== null) writePage(results, outputDirectory)
  process.stdout.write(options.isJson ? `${JSON.stringify(results.main, null, 2)}\n` : toText(results))
}

function writePage(results: Results, directory: string): void {
  const plots = drawPlots(results)
  mkdirSync(directory, { recursive: true })
  writeFileSync(`${directory}/policies.md`, toPage(results, plots))
  for (const { file, svg } of plots) writeFileSync(`${directory}/${file}`, svg)
}

function toText({ extent, main }: Results): string {
  const blocks = extent.traces.flatMap((trace) =>
    extent.fleets.flatMap((workers) =>
      extent.loads.map((load) => {
        const table = toMarkdownTable(COLUMNS, linesOf(findRuns(main, { trace, workers, load })))
        return `${trace}, ${workers} workers, ${(load * 100).toFixed(0)} % of capacity\n${table}\n\n`
      }),
    ),
  )
  return blocks.join('')
}

async function benchHttp({ directory, outputDirectory, isJson }: PolicyBenchOptions): Promise<void> {
  const machine = describeMachine('node')
  const results = await runOverHttp(directory, (words) => process.stderr.write(`${words}\n`))
  if (outputDirectory !== null) {
    mkdirSync(outputDirectory, { recursive: true })
    writeFileSync(`${outputDirectory}/policies-http.md`, toHttpPage(results, machine))
  }
  const table = `over HTTP\n${toMarkdownTable(HTTP_COLUMNS, httpLines(results))}\n`
  process.stdout.write(isJson ? `${JSON.stringify(results, null, 2)}\n` : table)
}

async function run(): Promise<number> {
  const options = parsePolicyBenchOptions(process.argv.slice(2))
  if (options === null) {
    process.stdout.write(HELP)
    return 0
  }
  if (options.runsVirtual) await benchVirtual(options)
  if (options.runsHttp) await benchHttp(options)
  return 0
}

try {
  process.exitCode = await run()
} catch (error) {
  process.stderr.write(`bench:policies: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 2
}
