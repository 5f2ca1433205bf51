// The route table of a simulated controller, and nothing else.

import { Router } from 'itty-router'
import type { IRequest } from 'itty-router'
import { jsonResponse } from '../json-response.ts'
import type { ControllerExchange } from './controller-exchange.ts'
import { answerDirectoryLookup, answerDirectoryStats, answerInstances } from './routes-coordinator.ts'
import {
  answerDashboard,
  answerHealth,
  answerInstanceHealth,
  answerKeyStats,
  answerLookup,
  answerQueryInstance,
  answerWorkers,
} from './routes-legacy.ts'
import {
  answerClearFaults,
  answerReport,
  answerRestart,
  answerSetFaults,
  answerSetHashSeed,
  answerState,
} from './routes-sim.ts'

type Handler = (exchange: ControllerExchange) => Response

const ROUTES: readonly (readonly ['get' | 'post' | 'delete', string, Handler])[] = [
  ['get', '/', answerDashboard],
  ['post', '/lookup', answerLookup],
  ['get', '/controller/workers', answerWorkers],
  ['get', '/controller/key-stats', answerKeyStats],
  ['post', '/query_instance', answerQueryInstance],
  ['post', '/health', answerInstanceHealth],
  ['get', '/health', answerHealth],
  ['get', '/healthz', answerHealth],
  ['get', '/instances', answerInstances],
  ['post', '/directory/lookup', answerDirectoryLookup],
  ['get', '/directory/stats', answerDirectoryStats],
  ['post', '/sim/report', answerReport],
  ['get', '/sim/state', answerState],
  ['post', '/sim/faults', answerSetFaults],
  ['delete', '/sim/faults', answerClearFaults],
  ['post', '/sim/hash-seed', answerSetHashSeed],
  ['post', '/sim/restart', answerRestart],
]

export function createControllerRoutes(): (exchange: ControllerExchange) => Promise<Response> {
  const router = Router<IRequest, [ControllerExchange]>()
  for (const [method, path, handler] of ROUTES) router[method](path, (_, exchange) => handler(exchange))
  for (const path of new Set(ROUTES.map(([, each]) => each))) {
    router.all(path, () => jsonResponse({ detail: 'Method Not Allowed' }, 405))
  }
  router.all('*', () => jsonResponse({ detail: 'Not Found' }, 404))
  return (exchange): Promise<Response> => router.fetch({ method: exchange.method, url: exchange.url.href }, exchange)
}
