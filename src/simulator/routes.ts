// The route table of a simulated worker, and nothing else.

import { Router } from 'itty-router'
import type { IRequest } from 'itty-router'
import type { Exchange } from './exchange.ts'
import { jsonResponse } from './json-response.ts'
import type { WorkerSettings } from './options.ts'
import { answerAudio } from './routes-audio.ts'
import { answerChat } from './routes-chat.ts'
import { answerCompletion } from './routes-completions.ts'
import { answerCountTokens, answerMessages } from './routes-messages.ts'
import { answerClassify, answerEmbeddings, answerPooling, answerRerank, answerScore } from './routes-pooling.ts'
import { answerCancelResponse, answerDeleteResponse, answerGetResponse, answerResponses } from './routes-responses.ts'
import { answerClear, answerReset, answerSetFaults, answerState } from './routes-sim.ts'
import { answerIsSleeping, answerSleep, answerWakeUp } from './routes-sleep.ts'
import { answerHealth, answerLoad, answerMetrics, answerModels, answerVersion } from './routes-status.ts'
import { answerDetokenize, answerTokenize } from './routes-tokenize.ts'

type Handler = (exchange: Exchange, params: Record<string, string>) => Response | Promise<Response>
type Method = 'get' | 'post' | 'delete'

const ROUTES: readonly (readonly [Method, string, Handler])[] = [
  ['get', '/health', answerHealth],
  ['get', '/ping', answerHealth],
  ['post', '/ping', answerHealth],
  ['get', '/version', answerVersion],
  ['get', '/load', answerLoad],
  ['get', '/metrics', answerMetrics],
  ['get', '/v1/models', answerModels],
  ['post', '/v1/chat/completions', answerChat],
  ['post', '/v1/completions', answerCompletion],
  ['post', '/v1/embeddings', answerEmbeddings],
  ['post', '/v1/responses', answerResponses],
  ['get', '/v1/responses/:id', answerGetResponse],
  ['delete', '/v1/responses/:id', answerDeleteResponse],
  ['post', '/v1/responses/:id/cancel', answerCancelResponse],
  ['post', '/v1/messages', answerMessages],
  ['post', '/v1/messages/count_tokens', answerCountTokens],
  ['post', '/rerank', answerRerank],
  ['post', '/v1/rerank', answerRerank],
  ['post', '/v2/rerank', answerRerank],
  ['post', '/score', answerScore],
  ['post', '/v1/score', answerScore],
  ['post', '/classify', answerClassify],
  ['post', '/pooling', answerPooling],
  ['post', '/tokenize', answerTokenize],
  ['post', '/detokenize', answerDetokenize],
  ['post', '/v1/audio/transcriptions', answerAudio],
  ['post', '/v1/audio/translations', answerAudio],
  ['get', '/sim/state', answerState],
  ['post', '/sim/faults', answerSetFaults],
  ['delete', '/sim/faults', answerClear],
  ['post', '/sim/reset', answerReset],
]

/** Served under VLLM_SERVER_DEV_MODE=1 only. */
const DEV_ROUTES: readonly (readonly [Method, string, Handler])[] = [
  ['post', '/sleep', answerSleep],
  ['post', '/wake_up', answerWakeUp],
  ['get', '/is_sleeping', answerIsSleeping],
]

/** Answers a request that is past the faults and the key. */
export type RouteExchange = (exchange: Exchange) => Promise<Response>

/** Builds the router of one worker. */
export function createRoutes({ enableDevMode }: Pick<WorkerSettings, 'enableDevMode'>): RouteExchange {
  const router = Router<IRequest, [Exchange]>()
  const routes = enableDevMode ? [...ROUTES, ...DEV_ROUTES] : ROUTES
  for (const [method, path, handler] of routes) {
    router[method](path, (request, exchange) => handler(exchange, request.params))
  }
  // FastAPI's own words, in FastAPI's own shape: no route of vLLM's has been reached.
  for (const path of new Set(routes.map((route) => route[1]))) {
    router.all(path, () => jsonResponse({ detail: 'Method Not Allowed' }, 405))
  }
  router.all('*', () => jsonResponse({ detail: 'Not Found' }, 404))
  return (exchange): Promise<Response> => router.fetch({ method: exchange.method, url: exchange.url.href }, exchange)
}
