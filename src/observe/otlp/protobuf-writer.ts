// The few wire types of protocol buffers that OTLP takes (https://protobuf.dev/programming-guides/encoding/).

const VARINT = 0
const FIXED64 = 1
const LENGTH = 2

export class ProtobufWriter {
  readonly #encoder = new TextEncoder()
  #bytes = new Uint8Array(1_024)
  #length = 0

  /** Everything written so far. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length)
  }

  /** A whole number; below zero it takes ten bytes, as int64 does. */
  integer(field: number, value: number): void {
    this.#tag(field, VARINT)
    this.#varint(value)
  }

  fixed64(field: number, value: bigint): void {
    this.#tag(field, FIXED64)
    this.#room(8)
    new DataView(this.#bytes.buffer).setBigUint64(this.#length, value, true)
    this.#length += 8
  }

  double(field: number, value: number): void {
    this.#tag(field, FIXED64)
    this.#room(8)
    new DataView(this.#bytes.buffer).setFloat64(this.#length, value, true)
    this.#length += 8
  }

  /** A list of them without a tag each. */
  packedFixed64(field: number, values: readonly bigint[]): void {
    const view = new DataView(new ArrayBuffer(values.length * 8))
    for (const [at, value] of values.entries()) view.setBigUint64(at * 8, value, true)
    this.#block(field, new Uint8Array(view.buffer))
  }

  packedDoubles(field: number, values: readonly number[]): void {
    const view = new DataView(new ArrayBuffer(values.length * 8))
    for (const [at, value] of values.entries()) view.setFloat64(at * 8, value, true)
    this.#block(field, new Uint8Array(view.buffer))
  }

  text(field: number, value: string): void {
    this.#block(field, this.#encoder.encode(value))
  }

  /** Bytes written as hexadecimal digits, two each. */
  hex(field: number, digits: string): void {
    this.#block(
      field,
      Uint8Array.from({ length: digits.length / 2 }, (_, at) => Number.parseInt(digits.slice(2 * at, 2 * at + 2), 16)),
    )
  }

  message(field: number, write: (writer: ProtobufWriter) => void): void {
    const writer = new ProtobufWriter()
    write(writer)
    this.#block(field, writer.bytes())
  }

  #block(field: number, bytes: Uint8Array): void {
    this.#tag(field, LENGTH)
    this.#varint(bytes.length)
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  #tag(field: number, type: number): void {
    this.#varint(field * 8 + type)
  }

  #varint(value: number): void {
    this.#room(10)
    let rest = BigInt.asUintN(64, BigInt(value))
    for (; rest > 0x7fn; rest >>= 7n) this.#byte(Number(rest & 0x7fn) | 0x80)
    this.#byte(Number(rest))
  }

  #byte(value: number): void {
    this.#bytes[this.#length] = value
    this.#length += 1
  }

  #room(more: number): void {
    if (this.#length + more <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more))
    larger.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = larger
  }
}
