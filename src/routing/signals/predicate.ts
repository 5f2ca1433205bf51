// Bounds on a number, as rules write them.

export interface Bounds {
  readonly gt: number | null
  readonly gte: number | null
  readonly lt: number | null
  readonly lte: number | null
}

/** Whether a number lies within all of the bounds. */
export function isWithin(value: number, { gt, gte, lt, lte }: Bounds): boolean {
  return (
    (gt === null || value > gt) &&
    (gte === null || value >= gte) &&
    (lt === null || value < lt) &&
    (lte === null || value <= lte)
  )
}

/** Such as `> 3 and <= 10`. */
export function boundsInWords({ gt, gte, lt, lte }: Bounds): string {
  const parts = [
    ['>', gt],
    ['>=', gte],
    ['<', lt],
    ['<=', lte],
  ] as const
  return parts.flatMap(([sign, bound]) => (bound === null ? [] : [`${sign} ${bound}`])).join(' and ')
}
