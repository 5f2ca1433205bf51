// In which order files of tests begin. vitest knows how long they took the last time, a fresh clone does not; by their
// size, which it goes by then, the suites of the runtimes would come last, and one of them would run alone at the end.

import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Of each project, the suites of the runtimes first, and what lasts a given time. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const rank = ({ project, moduleId }: TestSpecification) => [
      project.config.sequence.groupOrder,
      /\/test\/runtimes\/|\/soak\./.test(moduleId) ? 0 : 1,
    ]
    return sorted.toSorted((a, b) => {
      const [groupA = 0, placeA = 0] = rank(a)
      const [groupB = 0, placeB = 0] = rank(b)
      return groupA - groupB || placeA - placeB
    })
  }
}
