// What classifiers and chat models answer, as labels with scores.

export interface LabelScore {
  /** As the server writes it; of a chat model its whole answer. */
  readonly label: string
  /** From 0 to 1; of a chat model 1. */
  readonly score: number
}

type Fields = Readonly<Record<string, unknown>>

/**
 * The answer of /classify for one text: vLLM's `data[0]` with `label` and `probs`, or a list of `{label, score}`, also
 * within another list. `names` are the classes in the classifier's order, since vLLM names the likeliest only.
 */
export function readClasses(answer: unknown, names: readonly string[] | null): readonly LabelScore[] | null {
  const data = isFields(answer) ? answer['data'] : answer
  const [first]: readonly unknown[] = Array.isArray(data) ? data : []
  if (isFields(first) && Array.isArray(first['probs'])) return fromProbabilities(first['label'], first['probs'], names)
  const list = Array.isArray(first) ? first : data
  return Array.isArray(list) ? fromScores(list) : null
}

/** What a chat completion says, without what a reasoning model thinks aloud: it names many labels on the way. */
export function readCompletion(answer: unknown): readonly LabelScore[] | null {
  const choices = isFields(answer) ? answer['choices'] : null
  const [first]: readonly unknown[] = Array.isArray(choices) ? choices : []
  const message = isFields(first) ? first['message'] : null
  const content = isFields(message) ? message['content'] : null
  if (typeof content !== 'string') return null
  const said = content.replace(/^[^]*<\/think>/, '').trim()
  // Cut off while it was thinking: what it named so far is no answer.
  return said.startsWith('<think>') ? null : [{ label: said, score: 1 }]
}

function fromProbabilities(
  top: unknown,
  probabilities: readonly unknown[],
  names: readonly string[] | null,
): readonly LabelScore[] | null {
  if (!probabilities.every(isShare) || probabilities.length === 0) return null
  if (names !== null) {
    // Another count is another classifier than the one whose classes were written down.
    if (names.length !== probabilities.length) return null
    return names.map((label, at) => ({ label, score: probabilities[at] ?? 0 }))
  }
  return typeof top === 'string' ? [{ label: top, score: Math.max(...probabilities) }] : null
}

function fromScores(list: readonly unknown[]): readonly LabelScore[] | null {
  const scores: LabelScore[] = []
  for (const item of list) {
    if (!isFields(item)) return null
    const { label, score } = item
    if (typeof label !== 'string' || !isShare(score)) return null
    scores.push({ label, score })
  }
  return scores.length === 0 ? null : scores
}

function isShare(value: unknown): value is number {
  // A little above one is rounding of small floats.
  return typeof value === 'number' && value >= 0 && value <= 1.001
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
