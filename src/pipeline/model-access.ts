// Which models the caller of a request may use: checked for the name it gives, for the one that hooks make of it, and for
// every model that it could be routed to.

import { coversAllModels, coversModel } from '../access/model-access.ts'
import { quoted, RouterError } from '../errors/router-error.ts'
import type { Exchange } from './exchange.ts'
import type { InferenceRequest } from './inference-request.ts'

type OfCaller = Pick<Exchange, 'tenant'>

/** Whether the caller may use a model. Callers that are no tenants may use every one. */
export function mayUse({ tenant }: OfCaller, model: string): boolean {
  return tenant === null || coversModel(tenant.allowedModels, model)
}

/**
 * Throws `model_not_allowed` for a request that names a model its caller may not use, and for one on a path without
 * models when the caller may not use all: nobody can say what it would reach. A stored response is its maker's own.
 */
export function checkRequestedModel({ tenant }: OfCaller, request: InferenceRequest): void {
  if (tenant === null) return
  const { needsModel, requestedModel, storedResponseId } = request
  if (requestedModel !== null && !coversModel(tenant.allowedModels, requestedModel)) throw notAllowed(requestedModel)
  if (needsModel || storedResponseId !== null || coversAllModels(tenant.allowedModels)) return
  throw new RouterError('model_not_allowed', 'This path takes no model, and this API key may use certain models only.')
}

/** Throws `model_not_allowed` unless the caller may use one of the models that a request would be routed to. */
export function checkRoutedModels(
  exchange: OfCaller,
  { requestedModel }: InferenceRequest,
  models: readonly string[],
): void {
  if (models.some((model) => mayUse(exchange, model))) return
  if (requestedModel !== null && models.includes(requestedModel)) throw notAllowed(requestedModel)
  // What stands behind a name is not for everybody to know.
  const named = requestedModel === null ? 'A request that names no model' : `The model ${quoted(requestedModel)}`
  throw new RouterError('model_not_allowed', `${named} leads to one that this API key may not use; name another.`, {
    param: 'model',
  })
}

function notAllowed(model: string): RouterError {
  const message = `This API key may not use the model ${quoted(model)}; GET /v1/models lists those it may.`
  return new RouterError('model_not_allowed', message, { param: 'model' })
}
