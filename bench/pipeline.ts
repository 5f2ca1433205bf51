// `node bench/pipeline.ts`: CPU of the whole pipeline on Node for one chat, the upstream stubbed: routes, body, decision,
// attempt, answer, record and log line, but no sockets. For a profile: `node --cpu-prof --cpu-prof-dir=DIR
// bench/pipeline.ts --only light-2kb`, then `node bench/hot-functions.ts DIR`.

import { parseArgs } from 'node:util'
import { getRequestListener } from '@hono/node-server'
import { measureMicroseconds } from './in-process.ts'
import { type LoadName, loadNamed } from './loads.ts'
import { ANSWER_HEADERS, context, createStubbedRouter, light, type Objects, standard } from './stubbed-router.ts'

/** Design, section 5: microseconds per request by size of body. */
const SIZES: readonly { readonly load: LoadName; readonly limitUs: number }[] = [
  { load: 'chat-2kb', limitUs: 60 },
  { load: 'chat-64kb', limitUs: 400 },
  { load: 'chat-1mb', limitUs: 6_000 },
]

async function measure(
  objects: Objects,
  load: LoadName,
): Promise<{ readonly whole: number; readonly objects: number }> {
  const { body } = loadNamed(load)
  const { router, close } = await createStubbedRouter(objects)
  const whole = await measureMicroseconds(async () => {
    const answer = await router.fetch(objects.request(body), context)
    if (answer.status !== 200) throw new Error(`answered ${answer.status}: ${await answer.text()}`)
    await objects.read(answer)
  })
  close()
  const alone = await measureMicroseconds(async () => {
    await objects.request(body).arrayBuffer()
    const bytes = await objects.answer().arrayBuffer()
    await objects.read(new Response(bytes, { status: 200, headers: ANSWER_HEADERS }))
  })
  return { whole: whole.min, objects: alone.min }
}

function row(
  name: string,
  figures: { readonly whole: number; readonly objects: number },
  limitUs: number | null,
): string {
  const own = figures.whole - figures.objects
  const cells = [figures.whole, figures.objects, own].map((cost) => cost.toFixed(1).padStart(10)).join('')
  const verdict = limitUs === null ? '' : `   ${own <= limitUs ? 'met' : 'NOT MET'} (${limitUs})`
  return `${name.padEnd(22)}${cells}${verdict}\n`
}

const { values } = parseArgs({ options: { only: { type: 'string' } } })
process.stdout.write(
  'CPU microseconds per request, least of the rounds; the goal is for the pipeline without the objects\n\n',
)
process.stdout.write(
  `${''.padEnd(22)}${'whole'.padStart(10)}${'objects'.padStart(10)}${'pipeline'.padStart(10)}   goal\n`,
)
for (const { load } of SIZES) {
  const name = `standard-${load.slice('chat-'.length)}`
  if ((values.only ?? name) === name) process.stdout.write(row(name, await measure(standard, load), null))
}
// From here on `Response` is the light one of the server library, as it is in a router on Node.
getRequestListener(() => new Response(), { overrideGlobalObjects: true })
for (const { load, limitUs } of SIZES) {
  const name = `light-${load.slice('chat-'.length)}`
  if ((values.only ?? name) === name) process.stdout.write(row(name, await measure(light, load), limitUs))
}
