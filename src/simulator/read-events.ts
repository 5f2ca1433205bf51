// Reads a whole stream back into its events, for tests that look at what a worker said.

/** Names and data of the events in a stream. */
export function eventsOf(text: string): { name: string | null; data: Record<string, unknown> }[] {
  return text
    .split('\n\n')
    .filter(Boolean)
    .filter((block) => block !== 'data: [DONE]')
    .map((block) => {
      const lines = block.split('\n')
      const name = lines.find((line) => line.startsWith('event: '))?.slice(7) ?? null
      return { name, data: JSON.parse(lines.find((line) => line.startsWith('data: '))?.slice(6) ?? '') }
    })
}
