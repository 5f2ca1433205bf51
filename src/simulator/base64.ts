// Base64 without a runtime's help: bytes as text, for bodies that are none and for embeddings.

/** Base64 of bytes of any length. */
export function toBase64(bytes: Uint8Array): string {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary)
}
