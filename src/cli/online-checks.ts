// What the workers themselves have to say about a configuration: who answers, and whether anybody serves what rules and
// defaults lead to.

import type { Config, WorkerConfig } from '../config/config.ts'
import { type Path, type Problem, warningAt } from '../config/finding.ts'
import { findRule, type ModelRule } from '../routing/model-rules.ts'

/** Model ids by worker id: null where the worker did not answer, absent where it was not asked. */
export type WorkerAnswers = ReadonlyMap<string, readonly string[] | null>

/** Model ids that a message lists at most. */
const MAX_LISTED = 8

/** Warnings only: a worker that is down now may be up when the router starts. */
export function checkOnline(config: Config, answers: WorkerAnswers): Problem[] {
  const isServed = (model: string) => config.workers.some((worker) => serves(worker, answers, model) !== false)
  const targets = config.modelRules.flatMap(targetsOf)
  const named = defaultTarget(config)
  return [
    ...config.workers.flatMap((worker) => workerProblems(worker, answers.get(worker.id))),
    ...[...targets, ...named].flatMap(({ model, path }) => {
      return isServed(model) ? [] : [warningAt(path, `no worker that answers serves ${model}`)]
    }),
  ]
}

function workerProblems(worker: WorkerConfig, answer: readonly string[] | null | undefined): Problem[] {
  if (answer === undefined) {
    const message = `${worker.id} was not asked: it is reached through the binding ${worker.binding ?? ''}, which Workers have`
    return [{ severity: 'note', path: ['workers'], message }]
  }
  if (answer === null) return [warningAt(['workers'], `${worker.id} does not answer GET /v1/models`)]
  // A worker without such a route serves what the configuration says.
  const missing = answer.length === 0 ? [] : (worker.models ?? []).filter((model) => !answer.includes(model))
  return missing.map((model) => warningAt(['workers'], `${worker.id} does not list ${model}; it has ${listed(answer)}`))
}

function listed(models: readonly string[]): string {
  return `${models.slice(0, MAX_LISTED).join(', ')}${models.length > MAX_LISTED ? ', …' : ''}`
}

/** Whether a request for the model can go to the worker; null when it was not asked. */
function serves(worker: WorkerConfig, answers: WorkerAnswers, model: string): boolean | null {
  if (worker.models !== null) return worker.models.includes(model)
  const answer = answers.get(worker.id)
  return answer === undefined ? null : (answer?.includes(model) ?? false)
}

interface Target {
  readonly model: string
  readonly path: Path
}

function targetsOf({ action }: ModelRule, index: number): Target[] {
  const at = ['model_rules', index]
  if (action.kind === 'rewrite') return [{ model: action.model, path: [...at, 'rewrite'] }]
  if (action.kind === 'fallback')
    return action.models.map((model, place) => ({ model, path: [...at, 'fallback', place] }))
  return action.shares.map(({ model }) => ({ model, path: [...at, 'weights', model] }))
}

/** The default model, unless a rule takes it to models that are looked at anyway. */
function defaultTarget({ defaultModel, modelRules }: Config): Target[] {
  if (defaultModel === null || findRule(defaultModel, modelRules, { header: () => null, tenant: null }) !== null)
    return []
  return [{ model: defaultModel, path: ['default_model'] }]
}
