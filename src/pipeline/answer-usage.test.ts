import { describe, expect, test } from 'vitest'
import { splitBytes } from '../../test/conformance/dialect.ts'
import { watchUsage } from './answer-usage.ts'

const USAGE = { prompt_tokens: 100, completion_tokens: 23, total_tokens: 123 }
const bytesOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))

async function usageOf(chunks: readonly Uint8Array[], searchesAll: boolean, head: Uint8Array | null = null) {
  const rest = [...chunks]
  const source = {
    read: async () => ({ value: rest.shift(), done: rest.length === 0 }) as never,
    cancel: async () => {},
  }
  const { reader, usage } = watchUsage(source, { head, searchesAll })
  for (let left = chunks.length; left > 0; left -= 1) await reader.read()
  return usage()?.totalTokens ?? null
}

describe('the counts of a long answer', () => {
  const late = bytesOf({ choices: 'x'.repeat(9_000), usage: USAGE, service_tier: null })
  const early = bytesOf({ choices: [], usage: USAGE, prompt_logprobs: 'x'.repeat(9_000) })

  test('are found at its end, wherever it is cut', async () => {
    for (let cut = late.length - 200; cut <= late.length; cut += 1) {
      const chunks = splitBytes(late, [cut])
      expect(await usageOf(chunks, false)).toBe(123)
      expect(await usageOf(chunks.slice(1), false, chunks[0])).toBe(123)
    }
  })

  test('are found before long fields where a limit goes by them, wherever it is cut', async () => {
    for (let cut = 0; cut <= 200; cut += 1) {
      const chunks = splitBytes(early, [cut, 4_500])
      expect(await usageOf(chunks, true)).toBe(123)
      expect(await usageOf(chunks.slice(1), true, chunks[0])).toBe(123)
    }
    expect(await usageOf([early], false)).toBeNull()
  })

  test('are not what a text says', async () => {
    const quoted = bytesOf({ choices: [JSON.stringify({ usage: { prompt_tokens: 1 } })], more: 'x'.repeat(9_000) })
    expect(await usageOf([quoted], true)).toBeNull()
  })
})
