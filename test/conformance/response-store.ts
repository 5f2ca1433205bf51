// What every ResponseStore must hold: called in one line per implementation, on Node and inside workerd alike, so nothing
// here names a runtime.

import { describe, expect, test } from 'vitest'
import { MAX_MARKS, type Partition, type ResponseStore, type StoredAnswer } from '../../src/cache/response-store.ts'

export interface ResponseStoreRig {
  /** A way of its own to the same answers: as another router beside the first has it. */
  open(): ResponseStore
}

const ACME: Partition = { party: 'acme', model: 'm' }
const ZETA: Partition = { party: 'zeta', model: 'm' }
const OTHER: Partition = { party: 'acme', model: 'other' }
const NOBODY: Partition = { party: null, model: 'm' }

const never = () => new AbortController().signal
const bytesOf = (text: string) => new Uint8Array(new TextEncoder().encode(text))

const keyOf = (n: number) => String(n).padStart(64, '0')

function answerOf({ party, model }: Partition, text: string, epoch: string): StoredAnswer {
  const headers = [['content-type', 'application/json']] as const
  return { party, model, headers, body: bytesOf(text), storedAtMs: 1_700_000_000_123, epoch }
}

const find = async (store: ResponseStore, key: string, partition: Partition) => store.find(key, partition, never())

/** As a request does it: looks, misses, and puts what it got. */
async function fill(store: ResponseStore, key: string, partition: Partition, text = '{}'): Promise<StoredAnswer> {
  const { epoch } = await find(store, key, partition)
  const answer = answerOf(partition, text, epoch)
  await store.put(key, answer, never())
  return answer
}

/** Each call of `createRig` is a place of its own, with nothing in it. */
export function responseStoreConformance(name: string, createRig: () => Promise<ResponseStoreRig>): void {
  describe(`cached answers in ${name}`, () => {
    test('are not there at first', async () => {
      const store = (await createRig()).open()
      expect(await find(store, keyOf(1), ACME)).toEqual({ answer: null, epoch: expect.any(String) })
    })

    test('come back as they were, texts of every kind included', async () => {
      const rig = await createRig()
      const text = '{"a":"ö\\u0000\\ud800 漢字 🚀 \'$$\r\n\n"}\n'
      const answer = await fill(rig.open(), keyOf(1), ACME, text)
      expect((await find(rig.open(), keyOf(1), ACME)).answer).toEqual(answer)
    })

    test('a byte order mark and an empty body are kept as they are', async () => {
      const rig = await createRig()
      for (const [n, text] of ['\ufeff{}', ''].entries()) {
        const answer = await fill(rig.open(), keyOf(n), ACME, text)
        expect((await find(rig.open(), keyOf(n), ACME)).answer?.body).toEqual(answer.body)
      }
    })

    test('of a megabyte fit', async () => {
      const rig = await createRig()
      const answer = await fill(rig.open(), keyOf(1), ACME, `"${'ö'.repeat(500_000)}"`)
      expect((await find(rig.open(), keyOf(1), ACME)).answer?.body.length).toBe(answer.body.length)
    })

    test('a newer one takes the place of the older', async () => {
      const store = (await createRig()).open()
      await fill(store, keyOf(1), ACME, '"old"')
      const answer = await fill(store, keyOf(1), ACME, '"new"')
      expect((await find(store, keyOf(1), ACME)).answer?.body).toEqual(answer.body)
    })

    test('a purge of everything hides all of them, and what comes later stays', async () => {
      const rig = await createRig()
      const store = rig.open()
      for (const [n, partition] of [ACME, ZETA, OTHER, NOBODY].entries()) await fill(store, keyOf(n), partition)
      await store.purge({ kind: 'all' }, never())
      for (const [n, partition] of [ACME, ZETA, OTHER, NOBODY].entries()) {
        expect((await find(store, keyOf(n), partition)).answer).toBeNull()
      }
      await fill(store, keyOf(0), ACME)
      expect((await find(store, keyOf(0), ACME)).answer).not.toBeNull()
    })

    test.each([
      [{ kind: 'tenant', name: 'acme' } as const, [ZETA, NOBODY]],
      [{ kind: 'model', name: 'm' } as const, [OTHER]],
      [{ kind: 'model', name: 'tenant:acme' } as const, [ACME, ZETA, OTHER, NOBODY]],
      [{ kind: 'tenant', name: 'constructor' } as const, [ACME, ZETA, OTHER, NOBODY]],
    ])('a purge of %j leaves the others', async (scope, left) => {
      const store = (await createRig()).open()
      const all = [ACME, ZETA, OTHER, NOBODY]
      for (const [n, partition] of all.entries()) await fill(store, keyOf(n), partition)
      await store.purge(scope, never())
      const found: Partition[] = []
      for (const [n, partition] of all.entries()) {
        if ((await find(store, keyOf(n), partition)).answer !== null) found.push(partition)
      }
      expect(found).toEqual(left)
    })

    test('a purge of one key leaves its neighbours', async () => {
      const store = (await createRig()).open()
      for (const n of [1, 2]) await fill(store, keyOf(n), ACME)
      await store.purge({ kind: 'key', name: keyOf(1) }, never())
      expect((await find(store, keyOf(1), ACME)).answer).toBeNull()
      expect((await find(store, keyOf(2), ACME)).answer).not.toBeNull()
    })

    test('what was asked before a purge and is put after it is not given', async () => {
      const store = (await createRig()).open()
      const { epoch } = await find(store, keyOf(1), ACME)
      await store.purge({ kind: 'tenant', name: 'acme' }, never())
      await store.put(keyOf(1), answerOf(ACME, '{}', epoch), never())
      expect((await find(store, keyOf(1), ACME)).answer).toBeNull()
    })

    test('a second purge is as good as the first', async () => {
      const store = (await createRig()).open()
      for (let round = 0; round < 3; round += 1) {
        await fill(store, keyOf(1), ACME)
        await store.purge({ kind: 'model', name: 'm' }, never())
        expect((await find(store, keyOf(1), ACME)).answer).toBeNull()
      }
    })

    test('beyond as many names as are remembered, everything is purged', { timeout: 60_000 }, async () => {
      const store = (await createRig()).open()
      await fill(store, keyOf(1), ACME)
      for (let n = 0; n < MAX_MARKS; n += 1) await store.purge({ kind: 'model', name: `other-${n}` }, never())
      expect((await find(store, keyOf(1), ACME)).answer).not.toBeNull()
      await store.purge({ kind: 'model', name: 'one-more' }, never())
      expect((await find(store, keyOf(1), ACME)).answer).toBeNull()
    })
  })
}
