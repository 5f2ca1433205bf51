// What `bench/tracing.ts` measures, once per variant: the whole pipeline for one chat, built from the sources or from the
// sources without tracing. As a program it warms up, waits for a word, serves a number of chats and ends: for a count of instructions.

import { parseArgs } from 'node:util'
import { getRequestListener } from '@hono/node-server'
import { loadNamed } from './loads.ts'
import { context, createStubbedRouter, light } from './stubbed-router.ts'

/** Chats until everything that is made once is made. */
const WARM_UP = 100

export interface Subject {
  call(): Promise<void>
  close(): void
}

/** `settings` is YAML of the variant. */
export async function openSubject(settings: string): Promise<Subject> {
  // `Response` is the light one of the server library, as it is in a router on Node.
  getRequestListener(() => new Response(), { overrideGlobalObjects: true })
  const { body } = loadNamed('chat-2kb')
  const { router, close } = await createStubbedRouter(light, settings)
  return {
    async call() {
      const answer = await router.fetch(light.request(body), context)
      if (answer.status !== 200) throw new Error(`answered ${answer.status}: ${await answer.text()}`)
      await light.read(answer)
    },
    close,
  }
}

const { values } = parseArgs({ options: { settings: { type: 'string' }, chats: { type: 'string' } }, strict: false })
if (typeof values.chats === 'string') {
  const { call } = await openSubject(String(values.settings ?? ''))
  const serve = async (chats: number) => {
    for (let left = chats; left > 0; left -= 1) await call()
  }
  await serve(WARM_UP)
  // Whoever counts says when it is ready.
  process.stdout.write('warm\n')
  await new Promise((resolve) => process.stdin.once('data', resolve))
  await serve(Number(values.chats))
  // What is left are timers.
  process.exit(0)
}
