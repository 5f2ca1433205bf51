// How much of a text its meaning is judged by.

/** Embedding models and classifiers read some hundred tokens; of a longer text beginning and end say what it is about. */
const MAX_JUDGED_LENGTH = 2_048

/** As much of a text as its meaning is judged by. Two long texts may be one here: not for telling requests apart. */
export function judgedPart(text: string): string {
  if (text.length <= MAX_JUDGED_LENGTH) return text
  const half = MAX_JUDGED_LENGTH / 2
  // The cuts must not leave half a character.
  const head = text.slice(0, half).replace(/[\ud800-\udbff]$/, '')
  const tail = text.slice(-half).replace(/^[\udc00-\udfff]/, '')
  return `${head} … ${tail}`
}
