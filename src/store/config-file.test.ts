// Documents in a file and the directory beside it, over files in memory that can be made to fail.

import { describe, expect, test } from 'vitest'
import { openFileConfigStore, type TextFiles } from './config-file.ts'
import type { ConfigStore, PublishResult } from './config-store.ts'

const PATH = '/etc/router.yaml'
const HASHES = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(16))
const [A = '', B = '', C = ''] = HASHES

class Disk implements TextFiles {
  readonly texts = new Map<string, string>()
  readonly refused = new Set<string>()

  async read(path: string) {
    return this.texts.get(path) ?? null
  }

  async replace(path: string, text: string) {
    for (const part of this.refused) if (path.includes(part)) throw new Error(`cannot write ${path} (EROFS)`)
    this.texts.set(path, text)
  }

  async remove(path: string) {
    this.texts.delete(path)
  }
}

async function open(disk: Disk, text = 'first', hash = A) {
  const notKept: unknown[] = []
  if (!disk.texts.has(PATH)) disk.texts.set(PATH, text)
  const store = await openFileConfigStore({
    files: disk,
    path: PATH,
    text,
    hash,
    now: () => 7,
    onNotKept: (cause) => void notKept.push(cause),
  })
  return { store, notKept }
}

async function publish(store: ConfigStore, text: string, hash: string, more: object = {}): Promise<PublishResult> {
  const { sequence } = await store.current()
  return store.publish({ text, hash, origin: 'api', by: 'ops', expectedSequence: sequence, ...more })
}

const hashesOf = async (store: ConfigStore) => (await store.versions()).map(({ hash }) => hash)

describe('publishing', () => {
  test('writes the file and keeps what it said before', async () => {
    const disk = new Disk()
    const { store } = await open(disk)
    expect(await publish(store, 'second', B)).toMatchObject({ ok: true, pointer: { hash: B, sequence: 2 } })
    expect(disk.texts.get(PATH)).toBe('second')
    expect(await store.read(A)).toEqual({ text: 'first', origin: 'file' })
    expect(await store.read(B)).toEqual({ text: 'second', origin: 'api' })
    expect(await store.versions()).toMatchObject([
      { hash: B, sequence: 2, origin: 'api', by: 'ops', atMs: 7 },
      { hash: A, sequence: 1, origin: 'file', by: 'start' },
    ])
  })

  test('of fifty at once one wins, and the file says what that one said', async () => {
    const disk = new Disk()
    const { store } = await open(disk)
    const { sequence: expectedSequence } = await store.current()
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, index) => {
        const hash = String(index).padStart(16, '0')
        return store.publish({ text: `text ${index}`, hash, origin: 'api', by: 'ops', expectedSequence })
      }),
    )
    expect(results.filter(({ ok }) => ok)).toHaveLength(1)
    expect(results.filter((result) => !result.ok && result.conflict === 'sequence')).toHaveLength(49)
    expect(disk.texts.get(PATH)).toBe('text 0')
  })

  test('does not undo an edit of the file that was not loaded yet', async () => {
    const disk = new Disk()
    const { store } = await open(disk)
    disk.texts.set(PATH, 'edited by hand')
    expect(await publish(store, 'second', B)).toEqual({ ok: false, conflict: 'edited' })
    expect(disk.texts.get(PATH)).toBe('edited by hand')
    expect(await publish(store, 'edited by hand', C, { origin: 'file' })).toMatchObject({ ok: true })
    expect(await publish(store, 'second', B)).toMatchObject({ ok: true })
    expect(await hashesOf(store)).toEqual([B, C, A])
  })

  test('the same meaning in other words changes the file and makes no version', async () => {
    const disk = new Disk()
    const { store } = await open(disk)
    expect(await publish(store, 'first, with a comment', A)).toMatchObject({ ok: true, pointer: { sequence: 1 } })
    expect(disk.texts.get(PATH)).toBe('first, with a comment')
    expect(await publish(store, 'second', B)).toMatchObject({ ok: true })
    expect(await store.read(A)).toMatchObject({ text: 'first, with a comment' })
  })

  test('fails as a whole when the directory can not be written', async () => {
    const disk = new Disk()
    const { store } = await open(disk)
    disk.refused.add('.versions/')
    await expect(publish(store, 'second', B)).rejects.toThrow('EROFS')
    expect(disk.texts.get(PATH)).toBe('first')
    disk.refused.clear()
    expect(await publish(store, 'second', B)).toMatchObject({ ok: true, pointer: { sequence: 2 } })
  })

  test('fails as a whole when the file can not be written', async () => {
    const disk = new Disk()
    const { store } = await open(disk)
    disk.refused.add(PATH)
    await expect(publish(store, 'second', B)).rejects.toThrow('EROFS')
    expect(await hashesOf(store)).toEqual([A])
  })

  test('an edited file is in effect even where nothing can be kept', async () => {
    const disk = new Disk()
    const { store, notKept } = await open(disk)
    disk.refused.add('.versions/')
    disk.texts.set(PATH, 'second')
    expect(await publish(store, 'second', B, { origin: 'file' })).toMatchObject({ ok: true })
    expect(await hashesOf(store)).toEqual([B, A])
    expect(notKept).not.toEqual([])
  })

  test('forgets documents that no version needs any more', async () => {
    const disk = new Disk()
    const { store } = await open(disk)
    for (let index = 0; index < 60; index += 1) await publish(store, `text ${index}`, String(index).padStart(16, '0'))
    expect(disk.texts.size).toBe(50 + 2)
    expect(await store.read(A)).toBeNull()
  })
})

describe('after a restart', () => {
  test('the versions are still there, and counting goes on', async () => {
    const disk = new Disk()
    await publish((await open(disk)).store, 'second', B)
    const { store } = await open(disk, 'second', B)
    expect(await hashesOf(store)).toEqual([B, A])
    expect(await store.read(A)).toMatchObject({ text: 'first' })
    expect(await publish(store, 'third', C)).toMatchObject({ ok: true, pointer: { sequence: 3 } })
  })

  test('a file that was edited meanwhile is a version of its own', async () => {
    const disk = new Disk()
    await publish((await open(disk)).store, 'second', B)
    disk.texts.set(PATH, 'third')
    const { store } = await open(disk, 'third', C)
    expect(await store.versions()).toMatchObject([
      { hash: C, sequence: 3, by: 'start', origin: 'file' },
      { hash: B },
      { hash: A },
    ])
  })

  test.each(['', 'no json', '{"versions": [{"hash": "../../etc/passwd"}]}', '[]', 'null'])(
    'an index that can not be read is none: %s',
    async (index) => {
      const disk = new Disk()
      disk.texts.set(`${PATH}.versions/index.json`, index)
      const { store } = await open(disk)
      expect(await hashesOf(store)).toEqual([A])
      expect(await publish(store, 'second', B)).toMatchObject({ ok: true })
    },
  )
})

test('a hash nobody published leads to no file', async () => {
  const disk = new Disk()
  const { store } = await open(disk)
  disk.texts.set(`${PATH}.versions/${B}.yaml`, 'left over')
  expect(await store.read(B)).toBeNull()
  expect(await store.read('../../etc/passwd')).toBeNull()
})
