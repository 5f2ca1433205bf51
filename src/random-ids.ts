// Ids of requests and decisions: 128 random bits that nobody can guess, drawn for many ids at a time, as a call into the
// runtime for each costs more than the id.

/** How many ids one call is for. */
const IDS_AT_A_TIME = 64

const WORDS_OF_AN_ID = 4

const BYTES: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Each call of what is returned gives another id, of 32 hexadecimal digits. */
export function createRandomIds(): () => string {
  const words = new Uint32Array(WORDS_OF_AN_ID * IDS_AT_A_TIME)
  let at = words.length
  return () => {
    if (at === words.length) {
      crypto.getRandomValues(words)
      at = 0
    }
    let id = ''
    for (const end = at + WORDS_OF_AN_ID; at < end; at += 1) id += digitsOf(words[at] ?? 0)
    return id
  }
}

function digitsOf(word: number): string {
  return byteOf(word >>> 24) + byteOf(word >>> 16) + byteOf(word >>> 8) + byteOf(word)
}

function byteOf(bits: number): string {
  return BYTES[bits & 0xff] ?? ''
}
