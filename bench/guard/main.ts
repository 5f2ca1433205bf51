// `npm run bench:guard`: what each part costs in units of a reference loop, against the stored baseline. CI runs it as
// guard.test.ts does. `--write` stores a new baseline. Run it by `node --single-threaded`: measure.ts says why.

import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { grownParts, limitOf, type Ratios, verdictText } from './judge.ts'
import { measureRatio } from './measure.ts'
import { type Part, watchedParts } from './parts.ts'

const BASELINE = new URL('./baseline.json', import.meta.url)

const ROUNDS = { rounds: 25, roundMs: 1 }

/** A part over its limit is measured again, for as long as a crowded machine may need to let it run undisturbed. */
const TRIES = 6

const { values } = parseArgs({
  options: { write: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
})

async function leastRatio(part: Part, limit: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let attempt = 0; attempt < TRIES && !(least <= limit); attempt += 1) {
    const ratio = await measureRatio(part, { ...ROUNDS, rounds: ROUNDS.rounds * (attempt + 1) })
    least = Math.min(least, ratio)
  }
  return least
}

const baseline: Ratios = JSON.parse(readFileSync(BASELINE, 'utf8'))
const { parts, close } = await watchedParts()
const measured: Record<string, number> = {}
for (const part of parts) {
  // For a baseline the least of several: what is stored should be what the code costs.
  const limit = values.write ? 0 : limitOf(part.name, baseline)
  measured[part.name] = Number((await leastRatio(part, limit)).toFixed(2))
  if (!values.json)
    process.stdout.write(
      `${part.name.padEnd(22)}${String(measured[part.name]).padStart(8)}  at most ${limitOf(part.name, baseline).toFixed(1)}\n`,
    )
}
close()
if (values.write) writeFileSync(BASELINE, `${JSON.stringify(measured, null, 2)}\n`)
else {
  const grown = grownParts(measured, baseline)
  if (values.json) process.stdout.write(JSON.stringify({ measured, grown: grown.map(verdictText) }))
  else for (const verdict of grown) process.stderr.write(`${verdictText(verdict)}\n`)
  if (grown.length > 0) process.exitCode = 1
}
