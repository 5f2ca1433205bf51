// Ids of traces and spans. They have to differ, not to be secret, so they come from plain random numbers: a request that
// leaves no spans has to be told apart, too, and must not pay for cryptography.

/** A number in [0, 1). */
export type Random = () => number

const RANGE = 2 ** 32

const BYTES: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** 32 random bits as a whole number. */
export function drawBits(random: Random): number {
  return Math.floor(random() * RANGE)
}

/**
 * 32 hexadecimal digits. `draw` are the bits that its sampling went by (`sampling.ts`): they stand where whoever samples
 * by the id looks for them.
 */
export function toTraceId(draw: number, random: Random): string {
  return toSpanId(random) + toTraceTail(draw, random)
}

/** The last 16 of these digits. */
export function toTraceTail(draw: number, random: Random): string {
  const around = drawBits(random)
  return byteOf(around >>> 24) + digitsOf(draw) + byteOf(around >>> 16) + byteOf(around >>> 8) + byteOf(around)
}

/** 16 hexadecimal digits. */
export function toSpanId(random: Random): string {
  return digitsOf(drawBits(random)) + digitsOf(drawBits(random))
}

function digitsOf(bits: number): string {
  return byteOf(bits >>> 24) + byteOf(bits >>> 16) + byteOf(bits >>> 8) + byteOf(bits)
}

function byteOf(bits: number): string {
  return BYTES[bits & 0xff] ?? ''
}
