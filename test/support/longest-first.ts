// In which order files of tests begin. vitest knows how long they took the last time, a fresh clone does not; by their
// size, which it goes by then, the suites of the runtimes would come last, and one of them would run alone at the end.

import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** What takes minutes, longest first; beside each that computes, one that mostly waits. */
const MINUTES = [
  'runtimes/workerd',
  'http/soak',
  'runtimes/deno',
  'runtimes/workerd-over-time',
  'runtimes/bun',
  'runtimes/node-over-time',
  'runtimes/node',
  'runtimes/deno-over-time',
  'runtimes/bun-over-time',
]

/** Then seconds, and fractions of one, which fill what is left of the cores at the end. */
const PROJECTS = ['http', 'workerd', 'unit']

/** The long files first, then project by project. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    return sorted.toSorted((a, b) => placeOf(a) - placeOf(b))
  }
}

function placeOf({ project, moduleId }: TestSpecification): number {
  const place = MINUTES.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`))
  return place === -1 ? MINUTES.length + PROJECTS.indexOf(project.name) : place
}
