// Everything that is said about a decision, in the order it is said. Whatever a later record tells besides gets one file and
// one line here.

import { choice } from './explainers/choice.ts'
import { answer } from './explainers/answer.ts'
import { attempts } from './explainers/attempts.ts'
import { caller } from './explainers/caller.ts'
import { clusters } from './explainers/clusters.ts'
import { hooks } from './explainers/hooks.ts'
import { leftOut } from './explainers/left-out.ts'
import { matched } from './explainers/matched.ts'
import { model } from './explainers/model.ts'
import { steps } from './explainers/steps.ts'
import { signalAges } from './explainers/signal-ages.ts'
import { summary } from './explainers/summary.ts'
import type { Explainer } from './subject.ts'

export const EXPLAINERS: readonly Explainer[] = [
  summary,
  caller,
  hooks,
  matched,
  model,
  clusters,
  steps,
  choice,
  leftOut,
  signalAges,
  attempts,
  answer,
]
