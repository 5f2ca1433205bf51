// What the workers themselves have to say about a configuration: who answers, and whether anybody serves what rules and
// defaults lead to.

import type { Config, WorkerConfig } from '../config/config.ts'
import { type Path, type Problem, warningAt } from '../config/finding.ts'
import type { ConfigPlaces } from '../config/load.ts'
import { findRule, type RuleCaller } from '../routing/model-rules.ts'

/** Model ids by worker id: null where the worker did not answer, absent where it was not asked. */
export type WorkerAnswers = ReadonlyMap<string, readonly string[] | null>

/** One for whom no condition holds. */
const UNKNOWN_CALLER: RuleCaller = { header: () => null, tenant: null }

/** Model ids that a message lists at most. */
const MAX_LISTED = 8

/** Warnings only: a worker that is down now may be up when the router starts. */
export function checkOnline(config: Config, places: ConfigPlaces, answers: WorkerAnswers): Problem[] {
  return [
    ...config.workers.flatMap((worker) => {
      return workerProblems(worker, places.workers.get(worker.id) ?? ['workers'], answers.get(worker.id))
    }),
    ...unservedTargets(config, places, answers),
  ]
}

function workerProblems(
  { id, binding, models }: WorkerConfig,
  path: Path,
  answer: readonly string[] | null | undefined,
): Problem[] {
  if (answer === undefined) {
    const message = `${id} was not asked: it is reached through the binding ${binding ?? ''}, which Workers have`
    return [{ severity: 'note', path: [...path, 'binding'], message }]
  }
  if (answer === null) return [warningAt(path, `${id} does not answer GET /v1/models`)]
  // A worker without such a route serves what the configuration says.
  const missing = answer.length === 0 ? [] : (models ?? []).filter((model) => !answer.includes(model))
  return missing.map((model) => {
    return warningAt([...path, 'models'], `${id} does not list ${model}; it has ${listed(answer)}`)
  })
}

function unservedTargets(config: Config, places: ConfigPlaces, answers: WorkerAnswers): Problem[] {
  // Where every worker's models are configured the answers change nothing, and loading has said it.
  if (config.workers.every(({ models }) => models !== null)) return []
  const isServed = (model: string) => config.workers.some((worker) => serves(worker, answers, model) !== false)
  return [...places.ruleTargets, ...defaultTarget(config)].flatMap(({ model, path }) => {
    return isServed(model) ? [] : [warningAt(path, `no worker that answers serves ${model}`)]
  })
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

/** The default model, unless a rule takes it to models that are looked at anyway. */
function defaultTarget({ defaultModel, modelRules }: Config): { readonly model: string; readonly path: Path }[] {
  if (defaultModel === null || findRule(defaultModel, modelRules, UNKNOWN_CALLER) !== null) return []
  return [{ model: defaultModel, path: ['default_model'] }]
}
