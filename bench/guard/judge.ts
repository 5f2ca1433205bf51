// Whether a part has grown: pure, so that a test can show that it does say so.

/** By part: how many times its reference it costs. */
export type Ratios = Readonly<Record<string, number>>

/** What a noisy machine, another CPU and small changes make of a ratio; a part that grows beyond has become another thing. */
export const LOOSE_FACTOR = 2.5

export interface Verdict {
  readonly part: string
  readonly ratio: number
  readonly limit: number
}

export function limitOf(part: string, baseline: Ratios): number {
  return (baseline[part] ?? 0) * LOOSE_FACTOR
}

/** Parts beyond their limit; one without a baseline is beyond any. */
export function grownParts(measured: Ratios, baseline: Ratios): readonly Verdict[] {
  return Object.entries(measured)
    .map(([part, ratio]) => ({ part, ratio, limit: limitOf(part, baseline) }))
    .filter(({ ratio, limit }) => !(ratio <= limit))
}

export function verdictText({ part, ratio, limit }: Verdict): string {
  if (limit === 0) return `${part} has no baseline: \`npm run bench:guard -- --write\` adds it`
  return (
    `${part} has grown: it costs ${ratio.toFixed(1)} times its reference, at most ${limit.toFixed(1)} are allowed ` +
    `(${LOOSE_FACTOR} times the baseline). Look at what it does; if it has to cost that, \`npm run bench:guard -- --write\``
  )
}
