// Whether a caller would rather read text than JSON (RFC 9110, 12.5.1).

/** JSON unless `Accept` prefers `text/plain`. */
export function prefersText(accept: string | null): boolean {
  const offers = (accept ?? '').split(',').map(toOffer)
  return weightOf(offers, 'text/plain') > weightOf(offers, 'application/json')
}

interface Offer {
  readonly type: string
  readonly weight: number
}

function toOffer(part: string): Offer {
  const [type = '', ...parameters] = part.split(';').map((each) => each.trim().toLowerCase())
  const weight = Number(parameters.find((each) => each.startsWith('q='))?.slice(2) ?? 1)
  return { type, weight: weight >= 0 && weight <= 1 ? weight : 0 }
}

/** Of the most exact range that covers the type. */
function weightOf(offers: readonly Offer[], type: string): number {
  const ranges = [type, `${type.split('/', 1)[0]}/*`, '*/*']
  for (const range of ranges) {
    const offer = offers.find((each) => each.type === range)
    if (offer !== undefined) return offer.weight
  }
  return 0
}
