// Two minutes of the soak (bench/soak): mixed load, callers that leave, workers that die, drains and reloads, at a rate that leaves
// the machine to others. `SOAK_SECONDS` makes it longer or shorter; `npm run soak` is the half hour.

import { describe, expect, test } from 'vitest'
import { complaintsAbout } from '../../bench/soak/judge.ts'
import { runSoak } from '../../bench/soak/soak.ts'

const SECONDS = Number(process.env['SOAK_SECONDS'] ?? 120)

/** Every kind of trouble comes by twice. */
const TROUBLE_EVERY_SECONDS = SECONDS / 12

describe.concurrent.each(['node', 'workerd'] as const)('a soak on %s', (runtime) => {
  test('gives everything back', { timeout: SECONDS * 1_000 + 240_000 }, async () => {
    const pace = { seconds: SECONDS, requestsPerSecond: 8, troubleEverySeconds: TROUBLE_EVERY_SECONDS }
    const report = await runSoak({ runtime, ...pace })
    const { samples: _, ...told } = report
    // Too short for a slope: memory is still filling up.
    expect(complaintsAbout(report, null), JSON.stringify(told)).toEqual([])
    expect(report.after.memoryMb).toBeLessThan(1_024)
  })
})
