// Whether the spans of a trace that begins here are sent. Of a trace that a caller began its caller has decided.

/** Of how many values a draw is one: 32 bits are enough for a share of any size. */
const RANGE = 2 ** 32

/**
 * `draw` are the first 32 of the 56 bits of the trace id that are random by W3C Trace Context level 2; `ratio` is from 0 to 1.
 * Whoever samples by the id comes to the same, so that a trace's spans are all there or none is.
 */
export function isDrawn(draw: number, ratio: number): boolean {
  return draw >= (1 - ratio) * RANGE
}
