// The index of the file that is written to, in 40 bytes a record.

import { type IndexedLine, type IdHash, hashId, type Row, type SegmentIndex } from './segment-index.ts'

/** Numbers of a row: time, offset, bytes. */
const NUMBERS = 3
/** Hashes of a row: both halves of that of the decision's id, then of the request's. */
const HASHES = 4

export class LiveIndex implements SegmentIndex {
  #numbers = new Float64Array(NUMBERS * 256)
  #hashes = new Uint32Array(HASHES * 256)
  #count = 0

  get count(): number {
    return this.#count
  }

  get firstMs(): number {
    return this.#count === 0 ? Number.POSITIVE_INFINITY : this.#number(0, 0)
  }

  get lastMs(): number {
    return this.#count === 0 ? Number.NEGATIVE_INFINITY : this.#number(this.#count - 1, 0)
  }

  add({ timeMs, offset, bytes, decisionId, requestId }: IndexedLine): void {
    this.#reserve(this.#count + 1)
    const at = this.#placeFor(timeMs)
    const [id, request] = [hashId(decisionId), hashId(requestId)]
    this.#numbers.copyWithin((at + 1) * NUMBERS, at * NUMBERS, this.#count * NUMBERS)
    this.#hashes.copyWithin((at + 1) * HASHES, at * HASHES, this.#count * HASHES)
    this.#numbers.set([timeMs, offset, bytes], at * NUMBERS)
    this.#hashes.set([id.high, id.low, request.high, request.low], at * HASHES)
    this.#count += 1
  }

  row(at: number): Row {
    return { timeMs: this.#number(at, 0), offset: this.#number(at, 1), bytes: this.#number(at, 2) }
  }

  async rows(from: number, to: number): Promise<readonly Row[]> {
    const first = Math.max(0, from)
    return Array.from({ length: Math.max(0, Math.min(to, this.#count) - first) }, (_, at) => this.row(first + at))
  }

  async lookup(id: string): Promise<readonly Row[]> {
    const { high, low } = hashId(id)
    const found: Row[] = []
    for (let at = 0; at < this.#count; at += 1) {
      const [one, other] = this.hashesOf(at)
      if ((one.high === high && one.low === low) || (other.high === high && other.low === low)) found.push(this.row(at))
    }
    return found
  }

  /** Of the decision's id, and of the request's. */
  hashesOf(at: number): readonly [IdHash, IdHash] {
    const base = at * HASHES
    const half = (offset: number) => this.#hashes[base + offset] ?? 0
    return [
      { high: half(0), low: half(1) },
      { high: half(2), low: half(3) },
    ]
  }

  /** As a rule the end; earlier when a clock was set back, or files were written by two processes. */
  #placeFor(timeMs: number): number {
    let at = this.#count
    while (at > 0 && this.#number(at - 1, 0) > timeMs) at -= 1
    return at
  }

  #number(at: number, which: number): number {
    return this.#numbers[at * NUMBERS + which] ?? 0
  }

  #reserve(count: number): void {
    if (count * NUMBERS <= this.#numbers.length) return
    const [numbers, hashes] = [this.#numbers, this.#hashes]
    this.#numbers = new Float64Array(numbers.length * 2)
    this.#numbers.set(numbers)
    this.#hashes = new Uint32Array(hashes.length * 2)
    this.#hashes.set(hashes)
  }
}
