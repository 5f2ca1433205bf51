// `npm run bench:in-process`: what parts cost in one process, without I/O. Writes docs/bench/in-process.md.

import { parseArgs } from 'node:util'
import { describeMachine, machineLines } from '../machine.ts'
import { markdownTable, textTable, writePage } from '../pages.ts'
import { benchConfigLoader } from './config-loader.ts'
import { benchDecide } from './decide.ts'
import { benchRecord } from './record.ts'
import { benchReplay } from './replay.ts'
import type { BenchTable } from './table.ts'

const HELP = `npm run bench:in-process -- [options]: decide(), records, the configuration loader and replay in one process

  --only NAMES   decide | record | config | replay, comma-separated (default: all)
  --quick        few short rounds, to see that it works; writes nothing
`

const { values } = parseArgs({
  options: { only: { type: 'string' }, quick: { type: 'boolean', default: false }, help: { type: 'boolean' } },
})

const rounds = values.quick ? { rounds: 3, roundMs: 5 } : { rounds: 15, roundMs: 40 }

const BENCHES: Readonly<Record<string, () => Promise<BenchTable>>> = {
  decide: () => benchDecide(rounds),
  record: () => benchRecord(rounds),
  config: () => benchConfigLoader(rounds),
  replay: () => benchReplay(values.quick ? 5_000 : 100_000),
}

function toPage(tables: readonly BenchTable[]): string {
  const blocks = tables.map(({ title, about, head, rows, goals }) => {
    const verdicts = goals.map(({ what, isMet }) => `- ${what}: ${isMet ? 'met' : '**NOT MET**'}`)
    return [`## ${title}`, '', about, '', markdownTable(head, rows), '', ...verdicts, ''].join('\n')
  })
  return [
    '# What parts cost in one process',
    '',
    'Written by `npm run bench:in-process`. CPU time of one process on Node, garbage collection included: the median of ' +
      `${rounds.rounds} rounds, and in brackets the least, which is what the code costs where the machine has other things to do.`,
    '',
    ...machineLines(describeMachine('node')).map((line) => `- ${line}`),
    '',
    ...blocks,
  ].join('\n')
}

if (values.help === true) process.stdout.write(HELP)
else {
  const wanted = values.only?.split(',') ?? Object.keys(BENCHES)
  const tables: BenchTable[] = []
  for (const name of wanted) {
    const bench = BENCHES[name]
    if (bench === undefined) throw new Error(`--only ${name} is none of ${Object.keys(BENCHES).join(', ')}`)
    const table = await bench()
    tables.push(table)
    const verdicts = table.goals.map(({ what, isMet }) => `${what}: ${isMet ? 'met' : 'NOT MET'}\n`)
    process.stdout.write(`${table.title}\n${textTable(table.head, table.rows)}\n${verdicts.join('')}\n`)
  }
  if (!values.quick && values.only === undefined)
    process.stderr.write(`${writePage('in-process.md', toPage(tables))} written\n`)
  if (tables.some(({ goals }) => goals.some(({ isMet }) => !isMet))) process.exitCode = 1
}
