// Classes of HTTP statuses, as counts are labelled with them.

const CLASSES: readonly string[] = Array.from({ length: 10 }, (_, digit) => `${digit}xx`)

/** `2xx` of 204; the same text each time, which is found sooner than one that is written anew. */
export function statusClass(status: number): string {
  const digit = Math.floor(status / 100)
  return CLASSES[digit] ?? `${digit}xx`
}
