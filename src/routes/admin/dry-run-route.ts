// Which route of the catalogue a dry run is about, by the path a client would ask for.

import type { Config } from '../../config/config.ts'
import { quoted, RouterError } from '../../errors/router-error.ts'
import type { InferenceRequest } from '../../pipeline/inference-request.ts'
import { INFERENCE_ROUTES, type InferenceRoute, STORED_RESPONSE_ROUTES } from '../catalogue.ts'
import { PASSTHROUGH_METHODS } from '../passthrough.ts'

type Shape = Pick<InferenceRoute, 'dialect' | 'isCacheable' | 'tokenUse' | 'streamKind'>

/** What of a route matters to a decision. */
export interface DryRoute extends Shape, Pick<InferenceRequest, 'target' | 'needsModel' | 'storedResponseId'> {
  /** As the catalogue writes it. */
  readonly name: string
  readonly method: string
  readonly body: InferenceRoute['body'] | 'any'
}

const PLAIN = { dialect: 'openai', isCacheable: false, tokenUse: 'none', streamKind: 'other' } as const

/** Throws `invalid_request` for a path that no request is routed on. */
export function findDryRoute(config: Pick<Config, 'passthroughPaths'>, path: string, method?: string): DryRoute {
  const routes = [...inferenceRoutes(path), ...storedRoutes(path), ...passedThrough(config, path)]
  const found = method === undefined ? routes[0] : routes.find((route) => route.method === method)
  if (found !== undefined) return found
  if (routes.length > 0) {
    const methods = routes.map((route) => route.method).join(', ')
    throw new RouterError('invalid_request', `That route takes ${methods} only.`, { param: 'method' })
  }
  const known = INFERENCE_ROUTES.map((route) => `\`${route.path}\``).join(', ')
  const message = `No request is routed on ${quoted(path)}. Routes are ${known}, \`/v1/responses/ID\` and \`passthrough_paths\`.`
  throw new RouterError('invalid_request', message, { param: 'route' })
}

function inferenceRoutes(path: string): readonly DryRoute[] {
  return INFERENCE_ROUTES.filter((route) => route.path === path).map((route) => ({
    ...route,
    name: path,
    target: path,
    needsModel: true,
    storedResponseId: null,
  }))
}

function storedRoutes(path: string): readonly DryRoute[] {
  const [, id, suffix = ''] = /^\/v1\/responses\/([^/]+)(\/cancel)?$/.exec(path) ?? []
  if (id === undefined) return []
  return STORED_RESPONSE_ROUTES.filter((route) => route.suffix === suffix).map((route) => ({
    ...PLAIN,
    name: route.path,
    method: route.method,
    target: path,
    body: 'any',
    streamKind: 'responses',
    needsModel: false,
    storedResponseId: id,
  }))
}

function passedThrough({ passthroughPaths }: Pick<Config, 'passthroughPaths'>, path: string): readonly DryRoute[] {
  if (!passthroughPaths.includes(path)) return []
  return PASSTHROUGH_METHODS.map((method) => ({
    ...PLAIN,
    name: path,
    method,
    target: path,
    body: 'any',
    needsModel: false,
    storedResponseId: null,
  }))
}
