// Puts planned generations on an engine, and gives the answer as one piece or as a stream of events with the faults
// that befall it. Knows no dialect: a renderer writes the events.

import { BodyFeed } from './body-feed.ts'
import type { Engine } from './engine.ts'
import { EventSink } from './event-sink.ts'
import { pickEngine } from './exchange.ts'
import type { Exchange } from './exchange.ts'
import type { Generation } from './generation.ts'
import type { GenerationsRun, StreamRenderer } from './stream-renderer.ts'

interface GenerationListener {
  token(choice: number, index: number): void
  done(): void
}

/** Submits all generations to one engine. */
export function startGenerations(
  engine: Engine,
  generations: readonly Generation[],
  listener: GenerationListener,
): GenerationsRun {
  let open = generations.length
  const runs = generations.map((generation, choice) =>
    engine.submit(
      {
        prompt: generation.prompt,
        output: generation.tokens,
        finishReason: generation.finishReason,
        cacheKey: generation.cacheKey,
      },
      {
        token: (index) => listener.token(choice, index),
        finished: () => {
          if (--open === 0) listener.done()
        },
      },
    ),
  )
  return {
    get cachedTokens() {
      return runs.reduce((sum, run) => sum + run.cachedTokens, 0)
    },
    abort: () => runs.forEach((run) => run.abort()),
    pause: () => runs.forEach((run) => run.pause()),
    resume: () => runs.forEach((run) => run.resume()),
  }
}

/** Waits for the whole answer; rejects when the client goes, with the engine's slots freed. */
export function collectGenerations(
  exchange: Exchange,
  generations: readonly Generation[],
): Promise<{ cachedTokens: number }> {
  const { signal } = exchange
  const engine = pickEngine(exchange)
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const abort = (): void => {
      run.abort()
      reject(signal.reason)
    }
    const run = startGenerations(engine, generations, {
      token: () => {},
      done: () => {
        signal.removeEventListener('abort', abort)
        resolve({ cachedTokens: run.cachedTokens })
      },
    })
    signal.addEventListener('abort', abort, { once: true })
  })
}

/** Answers at once with headers, and with events as the engine makes them. */
export function streamGenerations(
  exchange: Exchange,
  generations: readonly Generation[],
  renderer: StreamRenderer,
): Response {
  const feed = new BodyFeed(() => run.abort())
  const sink = new EventSink({ feed, faults: exchange.faults, renderer, clock: exchange.worker.clock })
  const run = startGenerations(pickEngine(exchange), generations, {
    token: (choice, index) => {
      const { tokens, pieces } = generations[choice] ?? { tokens: [], pieces: [] }
      const isLast = index === tokens.length - 1
      sink.write(renderer.token({ choice, index, id: tokens[index] ?? 0, piece: pieces[index] ?? '', isLast }))
    },
    done: () => {
      sink.write(renderer.end(run.cachedTokens))
      sink.end()
    },
  })
  sink.attach(run)
  sink.write(renderer.begin())
  if (exchange.signal.aborted) run.abort()
  else exchange.signal.addEventListener('abort', run.abort, { once: true })
  return new Response(feed.stream, { headers: { 'content-type': 'text/event-stream; charset=utf-8' } })
}
