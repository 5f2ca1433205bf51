// Vectors in a file, and what becomes of files that can't be read or written.

import { expect, test } from 'vitest'
import { vectorStoreConformance } from '../../test/conformance/vector-store.ts'
import { createVectorFile } from './vector-file.ts'

const PATH = '/etc/router.yaml.vectors.json'
const HOUR_MS = 3_600_000
const NEVER = new AbortController().signal

function bench() {
  const texts = new Map<string, string>()
  const broken = new Set<'read' | 'replace'>()
  let nowMs = 1_000
  const files = {
    async read(path: string) {
      if (broken.has('read')) throw new Error(`cannot read ${path} (EACCES)`)
      return texts.get(path) ?? null
    },
    async replace(path: string, text: string) {
      if (broken.has('replace')) throw new Error(`cannot write ${path} (EROFS)`)
      texts.set(path, text)
    },
  }
  return {
    texts,
    broken,
    advance: (ms: number) => void (nowMs += ms),
    open: () => createVectorFile({ files, path: PATH, now: () => nowMs }),
  }
}

vectorStoreConformance('a file', async () => ({ ...bench(), isBounded: true }))

test.each(['', 'no JSON', '7', 'null', '[]', '{"a": 7, "b": {"vector": 1}, "c": null}'])(
  'a file with %j in it has nothing to give, and is written over',
  async (text) => {
    const bed = bench()
    bed.texts.set(PATH, text)
    const found = await bed
      .open()
      .read(['a', 'b', 'c'], NEVER)
      .catch(() => null)
    expect(found ?? [null, null, null]).toEqual([null, null, null])
    await bed.open().write([['a', 'v']], HOUR_MS, NEVER)
    expect(await bed.open().read(['a'], NEVER)).toEqual(['v'])
  },
)

test('a disk that fails is told of, and the next write has its turn', async () => {
  const bed = bench()
  const store = bed.open()
  bed.broken.add('replace')
  await expect(store.write([['a', 'v']], HOUR_MS, NEVER)).rejects.toThrow('EROFS')
  bed.broken.clear()
  await store.write([['b', 'v']], HOUR_MS, NEVER)
  bed.broken.add('read')
  await expect(store.read(['b'], NEVER)).rejects.toThrow('EACCES')
  bed.broken.clear()
  expect(await store.read(['a', 'b'], NEVER)).toEqual([null, 'v'])
})
