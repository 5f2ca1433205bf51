// Route table and stage order, nothing else.

import { Hono, type MiddlewareHandler } from 'hono'
import { cors } from 'hono/cors'
import type { AdminParts } from './control/admin-parts.ts'
import { RouterError } from './errors/router-error.ts'
import type { AppBindings, AppEnv } from './middleware/app-env.ts'
import { toErrorAnswer } from './middleware/on-error.ts'
import { checkHost, checkPath } from './middleware/path-guard.ts'
import { requestIdOf } from './middleware/request-id.ts'
import { passStages } from './middleware/stages.ts'
import { closeExchange } from './pipeline/close.ts'
import { type Exchange, openExchange } from './pipeline/exchange.ts'
import { LIMIT_HEADERS, setLimitHeaders } from './pipeline/limit-headers.ts'
import type { RouterParts } from './pipeline/router-parts.ts'
import { ALL_EXPLAINABILITY_HEADERS, HEADER_REQUEST_ID, setDecisionId } from './pipeline/routing-headers.ts'
import { openTrace } from './pipeline/tracing.ts'
import { callerTrace } from './tracing/trace-headers.ts'
import type { HeaderFields, RequestContext } from './platform.ts'
import { addAdminRoutes } from './routes/admin/admin-routes.ts'
import { isAdminPath } from './routes/admin/catalogue.ts'
import { INFERENCE_ROUTES, OWN_ROUTES, STORED_RESPONSE_ROUTES } from './routes/catalogue.ts'
import { health, liveness, readiness, version } from './routes/health.ts'
import { inference } from './routes/inference.ts'
import { listAllModels, retrieveModel } from './routes/models.ts'
import { passthrough, PASSTHROUGH_METHODS } from './routes/passthrough.ts'
import { storedResponse } from './routes/stored-responses.ts'

export type FetchHandler = (request: Request, context: RequestContext) => Promise<Response>

/** The fetch handler over the given parts. Everything a route needs comes through `env`, nothing is global. */
export function createApp(parts: RouterParts, admin: AdminParts): FetchHandler {
  const served = serveRoutes()
  const app = buildRoutes(parts, admin, served)
  const { traces, corsAllowedOrigins } = parts.config
  // Nearly every request is for one of these, and needs nothing of what a framework does for it.
  const shortcuts = corsAllowedOrigins.length > 0 ? null : served
  return async function fetch(request, context) {
    const exchange = openExchange({
      requestId: requestIdOf(request.headers, () => parts.platform.randomId()),
      receivedAtMs: parts.platform.now(),
      tracing: traces === null ? null : openTrace(traces, request, parts.platform),
      callerTrace: () => callerTrace(request.headers),
      config: parts.config,
      context,
    })
    try {
      checkHost(request.headers.get('host'))
      const target = targetOf(context.rawTarget ?? request.url)
      const serve = request.method === 'POST' ? shortcuts?.get(target) : undefined
      if (serve !== undefined) return await serve({ exchange, parts }, request)
      checkPath(target)
      return withOwnHeaders(await app.fetch(request, { exchange, parts }), exchange)
    } catch (error) {
      return toErrorAnswer(parts, exchange, error)
    }
  }
}

type Serve = (bindings: AppBindings, request: Request) => Promise<Response>

/** The inference routes by their paths, with everything that stands before their handlers. */
function serveRoutes(): ReadonlyMap<string, Serve> {
  return new Map(
    INFERENCE_ROUTES.map((route) => {
      const infer = inference(route)
      const serve: Serve = (bindings, request) => {
        noteMatch(bindings.exchange, route.path, route)
        const passed = passStages(bindings, request)
        return passed === null ? infer(bindings, request) : passed.then(() => infer(bindings, request))
      }
      return [route.path, serve]
    }),
  )
}

function buildRoutes(parts: RouterParts, admin: AdminParts, served: ReadonlyMap<string, Serve>): Hono<AppEnv> {
  const app = new Hono<AppEnv>()
  const { corsAllowedOrigins, passthroughPaths } = parts.config
  if (corsAllowedOrigins.length > 0) app.use('*', allowOrigins(corsAllowedOrigins, passthroughPaths))

  for (const [path, serve] of served) app.post(path, ({ env, req }) => serve(env, req.raw))
  for (const route of STORED_RESPONSE_ROUTES) {
    app.on(route.method, route.path, matched(route.path), stages, storedResponse(route))
  }
  for (const path of passthroughPaths) {
    app.on([...PASSTHROUGH_METHODS], path, matched(path), stages, passthrough(path))
  }
  app.get('/v1/models', named('/v1/models'), stages, answeredHere(parts), listAllModels)
  app.get('/v1/models/*', named('/v1/models/:id'), stages, answeredHere(parts), retrieveModel)
  app.get('/health', health)
  app.get('/liveness', liveness)
  app.get('/readiness', readiness)
  app.get('/version', version)
  addAdminRoutes(app, admin, passthroughPaths)

  for (const { path, shape, methods } of knownPaths(passthroughPaths)) {
    if (shape !== null) app.all(path, matched(path, shape))
    app.all(path, () => {
      throw new RouterError('method_not_allowed', `This path takes ${methods.join(', ')} only.`, { allow: methods })
    })
  }
  app.notFound((context) => {
    const error = new RouterError('not_found', 'There is no such route here; the API reference lists those there are.')
    // Returned, not thrown: hono would drop the CORS headers of an error thrown here.
    return toErrorAnswer(parts, context.env.exchange, error)
  })
  app.onError((error, context) => toErrorAnswer(parts, context.env.exchange, error))
  return app
}

const stages: MiddlewareHandler<AppEnv> = async ({ env, req }, next) => {
  const passed = passStages(env, req.raw)
  if (passed !== null) await passed
  await next()
}

/** What of a route decides how its errors look. */
type RouteShape = Pick<Exchange, 'dialect' | 'isCacheable' | 'tokenUse'>

const PLAIN_SHAPE: RouteShape = { dialect: 'openai', isCacheable: false, tokenUse: 'none' }

/** Notes in the exchange which inference route matched, before anything can fail on it. */
function noteMatch(exchange: Exchange, path: string, { dialect, isCacheable, tokenUse }: RouteShape): void {
  exchange.route = path
  exchange.isInference = true
  exchange.dialect = dialect
  exchange.isCacheable = isCacheable
  exchange.tokenUse = tokenUse
}

function matched(path: string, shape: RouteShape = PLAIN_SHAPE): MiddlewareHandler<AppEnv> {
  return async ({ env: { exchange } }, next) => {
    noteMatch(exchange, path, shape)
    await next()
  }
}

/** Notes which route matched of those that the router answers by itself. */
function named(path: string): MiddlewareHandler<AppEnv> {
  return async function noteName({ env: { exchange } }, next) {
    exchange.route = path
    await next()
  }
}

/** Closes the exchange of a route that the router answers by itself. */
function answeredHere(parts: RouterParts): MiddlewareHandler<AppEnv> {
  return async function closeAfter(context, next) {
    const { exchange } = context.env
    exchange.method = 'none'
    await next()
    closeExchange(parts, exchange, { status: context.res.status, streamEnd: null, errorCode: null })
  }
}

function allowOrigins(origins: readonly string[], workerPaths: readonly string[]): MiddlewareHandler<AppEnv> {
  const allow = cors({
    origin: origins.includes('*') ? '*' : [...origins],
    allowMethods: ['GET', 'POST', 'DELETE'],
    // Whatever an allowed origin's client library wants to send; what reaches a worker is another list's matter.
    exposeHeaders: [HEADER_REQUEST_ID, 'retry-after', ...LIMIT_HEADERS, ...ALL_EXPLAINABILITY_HEADERS],
    maxAge: 3_600,
  })
  // Pages have no business with the admin routes, whatever else they may call.
  const isClosed = (path: string) => isAdminPath(path) && !workerPaths.includes(path)
  return (context, next) => (isClosed(context.req.path) ? next() : allow(context, next))
}

interface KnownPath {
  readonly path: string
  /** Null on routes that the router answers by itself. */
  readonly shape: RouteShape | null
  readonly methods: string[]
}

/** Every path that exists with the methods it takes, for the answer to any other method. */
function knownPaths(passthroughPaths: readonly string[]): Iterable<KnownPath> {
  const known = new Map<string, KnownPath>()
  const note = (path: string, method: string, shape: RouteShape | null) => {
    const entry = known.get(path) ?? { path, shape, methods: [] }
    entry.methods.push(method)
    known.set(path, entry)
  }
  for (const route of INFERENCE_ROUTES) note(route.path, route.method, route)
  for (const { path, method } of STORED_RESPONSE_ROUTES) note(path, method, PLAIN_SHAPE)
  for (const { path, method } of OWN_ROUTES) note(path, method, null)
  for (const path of passthroughPaths) for (const method of PASSTHROUGH_METHODS) note(path, method, PLAIN_SHAPE)
  return known.values()
}

/** What every answer has; those of the pipeline and of errors have it from the start. */
function withOwnHeaders(response: Response, exchange: Exchange): Response {
  const own: HeaderFields = {}
  if (!response.headers.has(HEADER_REQUEST_ID)) own[HEADER_REQUEST_ID] = exchange.requestId
  if (!exchange.isInference) setDecisionId(own, exchange)
  setLimitHeaders(own, exchange)
  for (const [name, value] of Object.entries(own)) response.headers.set(name, value)
  return response
}

/** Path and query of a request's target or URL as the runtime shows it, without letting a URL parser normalise it. */
function targetOf(url: string): string {
  // Only the absolute form (RFC 9112, 3.2.2) names scheme and host before the path.
  if (!/^https?:\/\//i.test(url)) return url
  const authorityAt = url.indexOf('//') + 2
  const pathAt = url.indexOf('/', authorityAt)
  return pathAt === -1 ? '/' : url.slice(pathAt)
}
