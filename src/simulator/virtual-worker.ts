// A worker in virtual time: answers as fast as the arithmetic goes, with the timing of the model. For tests and
// benchmarks.

import { VirtualClock } from './clock.ts'
import type { SimulatedWorkerOptions } from './options.ts'
import { createSimulatedWorker } from './worker.ts'
import type { SimulatedWorker } from './worker.ts'

export interface VirtualWorker {
  readonly clock: VirtualClock
  readonly worker: SimulatedWorker
  /** Sends a request and moves the clock until it is answered in full. */
  send(path: string, init?: RequestInit): Promise<{ response: Response; text: string }>
  /** The same with a JSON body. */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<{ response: Response; text: string }>
}

/** A worker with a model `m` unless the options name others. Ids count up, so that a run repeats to the byte. */
export function createVirtualWorker(options: Partial<SimulatedWorkerOptions> = {}): VirtualWorker {
  const clock = new VirtualClock(1_767_000_000_000)
  let ids = 0
  const worker = createSimulatedWorker(
    { models: ['m'], itlJitter: 0, ...options },
    { clock, sha256: (bytes) => `${bytes.byteLength} bytes`, newId: () => String(ids++).padStart(32, '0') },
  )
  const send: VirtualWorker['send'] = async (path, init = {}) => {
    const answer = readAll(worker.fetch(new Request(`http://worker${path}`, init)))
    await driveUntilSettled(clock, answer)
    return answer
  }
  return {
    clock,
    worker,
    send,
    post: (path, body, headers = {}) =>
      send(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      }),
  }
}

async function readAll(pending: Promise<Response>): Promise<{ response: Response; text: string }> {
  const response = await pending
  return { response, text: await response.text() }
}

async function driveUntilSettled(clock: VirtualClock, promise: Promise<unknown>): Promise<void> {
  let isSettled = false
  const settle = (): void => {
    isSettled = true
  }
  promise.then(settle, settle)
  while (!isSettled) {
    // One turn of the event loop lets bodies and hashes through; then whatever waits for time gets it.
    await new Promise((resolve) => setTimeout(resolve))
    clock.runAll()
  }
}
