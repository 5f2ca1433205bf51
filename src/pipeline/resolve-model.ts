// Which model a request is for, and what to answer when there is none to be had.

import { quoted, RouterError } from '../errors/router-error.ts'
import type { FleetMirror } from '../store/fleet-mirror.ts'

/** Seconds after which a worker that is down may have been found up again. */
export const RETRY_AFTER_SECONDS = 2

/**
 * The model to route to: the one named, else the default, else the only one the fleet has. Throws `model_required`,
 * `model_not_found`, or `no_worker` while no worker has said yet what it serves.
 */
export function resolveModel(
  requested: string | null,
  defaultModel: string | null,
  mirror: Pick<FleetMirror, 'models' | 'hasSilentWorkers'>,
): string {
  const models = mirror.models()
  const model = requested ?? defaultModel ?? onlyOne(models)
  if (model !== null && models.has(model)) return model
  if (models.size === 0) {
    throw new RouterError('no_worker', 'No worker has answered yet, so the models on offer are not known.', {
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    })
  }
  if (model === null) {
    throw new RouterError('model_required', 'The request names no model and several are on offer; set `model`.', {
      param: 'model',
    })
  }
  const caveat = mirror.hasSilentWorkers() ? ' Some workers have not been reached yet.' : ''
  throw new RouterError(
    'model_not_found',
    `The model ${quoted(model)} does not exist here; GET /v1/models lists those that do.${caveat}`,
    { param: 'model' },
  )
}

function onlyOne(models: ReadonlySet<string>): string | null {
  const [first] = models
  return models.size === 1 && first !== undefined ? first : null
}
