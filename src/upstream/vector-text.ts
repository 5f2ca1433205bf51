// Vectors as base64 of 32-bit floats, the least byte first: as servers send them on request, and as they are kept.

export function toBase64(vector: Float32Array): string {
  const view = new DataView(new ArrayBuffer(vector.length * Float32Array.BYTES_PER_ELEMENT))
  for (const [at, item] of vector.entries()) view.setFloat32(at * Float32Array.BYTES_PER_ELEMENT, item, true)
  return btoa(Array.from(new Uint8Array(view.buffer), (byte) => String.fromCharCode(byte)).join(''))
}

/** Null for what is no such text. */
export function fromBase64(text: string): Float32Array | null {
  try {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
    if (bytes.length % Float32Array.BYTES_PER_ELEMENT !== 0) return null
    const view = new DataView(bytes.buffer)
    const length = bytes.length / Float32Array.BYTES_PER_ELEMENT
    return Float32Array.from({ length }, (_, at) => view.getFloat32(at * Float32Array.BYTES_PER_ELEMENT, true))
  } catch {
    // No base64: no vector.
    return null
  }
}
