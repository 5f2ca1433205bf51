// Which model a request is for, and what to answer when there is none to be had.

import { quoted, RouterError } from '../errors/router-error.ts'
import type { FleetMirror } from '../store/fleet-mirror.ts'

/** Seconds after which a worker that is down may have been found up again. */
export const RETRY_AFTER_SECONDS = 2

export interface WantedModel {
  /** As named, by default, or by a rule; null when nobody said. */
  readonly model: string | null
  /** Whether a rule took the request: then its operator vouches for the name, and only workers can be missing. */
  readonly isRuled: boolean
}

/**
 * The model to route to: the one wanted, else the only one the fleet has. Throws `model_required`, `model_not_found`,
 * or `no_worker` where a worker may yet turn up that serves it.
 */
export function resolveModel(wanted: WantedModel, mirror: Pick<FleetMirror, 'models' | 'hasSilentWorkers'>): string {
  const models = mirror.models()
  const model = wanted.model ?? onlyOne(models)
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
  if (wanted.isRuled) {
    throw new RouterError('no_worker', `No worker serves ${quoted(model)}, which a rule leads to, at the moment.`, {
      retryAfterSeconds: RETRY_AFTER_SECONDS,
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
