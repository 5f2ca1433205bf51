// Putting a worker to sleep and waking it. Requests that come meanwhile wait; /health goes on saying 200, as vLLM's does.

import type { Exchange } from './exchange.ts'
import { emptyResponse, jsonResponse } from './json-response.ts'

export function answerSleep({ worker }: Exchange): Response {
  worker.sleep.sleep()
  return emptyResponse()
}

export function answerWakeUp({ worker, url }: Exchange): Response {
  worker.sleep.wake(url.searchParams.getAll('tags'))
  return emptyResponse()
}

export function answerIsSleeping({ worker }: Exchange): Response {
  return jsonResponse({ is_sleeping: worker.sleep.isAsleep })
}
