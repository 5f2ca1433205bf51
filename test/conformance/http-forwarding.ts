// What crosses the router, in both directions: bodies byte for byte, the headers that may, and workers that fail.

import type { RuntimeName } from '../support/launch.ts'
import { answersConformance } from './http-answers.ts'
import { fidelityConformance } from './http-fidelity.ts'
import { headersConformance } from './http-headers.ts'
import { outcomesConformance } from './http-outcomes.ts'

export function forwardingConformance(runtime: RuntimeName): void {
  fidelityConformance(runtime)
  headersConformance(runtime)
  answersConformance(runtime)
  outcomesConformance(runtime)
}
