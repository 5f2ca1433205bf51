// The configuration file as the truth: reload, SIGHUP, what the API writes to it, and what it keeps beside it.

import { chmod, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { beforeEach, describe, expect, test } from 'vitest'
import { adminClient } from '../support/admin-client.ts'
import { expectRefusal } from '../support/ask.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'

const ADMIN = 'admin-0123456789'

export function adminFileConformance(runtime: RuntimeName): void {
  describe(`the configuration file on ${runtime}`, () => {
    const fleet = liveFleet(runtime, {
      workers: { a: { models: ['m'] }, b: { models: ['m'] } },
      config: (urls) => ({ workers: [{ id: 'a', url: urls.a }], admin_api_key: ADMIN }),
      env: { SECRET: 'secret-0123456789' },
    })
    const admin = adminClient(() => fleet.url, ADMIN)
    const path = () => fleet.router.configPath
    const text = (more = '') => `# ours
workers:
  - {id: a, url: "${fleet.worker('a').url}"} # the first
admin_api_key: ${ADMIN}
allowed_worker_hosts: ["http://127.0.0.1:*"]
${more}`
    const edit = (more = '') => writeFile(path(), text(more))
    const runningHash = async () => (await admin.get('/admin/config')).json().hash

    beforeEach(async () => {
      await edit()
      const reloaded = await admin.post('/admin/reload')
      expect(reloaded.status, reloaded.text).toBe(200)
    })

    test('is read anew by a reload, with any variable', async () => {
      await edit(
        `default_model: m\ninbound_api_key: \${SECRET}\nmode: {type: regular, worker_urls: ["${fleet.worker('b').url}"]}\n`,
      )
      const { status, changed, workers_added: added } = (await admin.post('/admin/reload')).json()
      expect([status, changed, added]).toEqual([
        'ok',
        ['default_model', 'inbound_api_key', 'mode'],
        [fleet.worker('b').url],
      ])
      const { origin, config } = (await admin.get('/admin/config')).json()
      expect([origin, config.inbound_api_key]).toEqual(['file', '***'])
    })

    test('that has not changed is no new version', async () => {
      const before = (await admin.get('/admin/config/versions')).json()
      expect((await admin.post('/admin/reload')).json()).toMatchObject({ changed: [], workers_added: [] })
      expect((await admin.get('/admin/config/versions')).json()).toEqual(before)
    })

    test('that is broken changes nothing, and the next good one works', async () => {
      const before = await runningHash()
      for (const bad of ['port: x\n', 'workers: [\n', 'default_model: ${NOT_SET}\n']) {
        await edit(bad)
        const refused = await admin.post('/admin/reload')
        expect([refused.status, refused.json().error.code], refused.text).toEqual([400, 'config_refused'])
        expect(refused.json().error.findings[0]).toMatchObject({ line: expect.any(Number) })
        expect(await runningHash()).toBe(before)
      }
      await edit('log_level: warn\n')
      expect((await admin.post('/admin/reload')).json().changed).toEqual(['log_level'])
    })

    test('that is gone changes nothing: reloads and changes say so, until it is back', async () => {
      const before = await runningHash()
      await rm(path())
      for (const refused of [await admin.post('/admin/reload'), await admin.putConfig(text('log_level: warn\n'))]) {
        expectRefusal(refused, 'config_unavailable')
        expect(refused.headers.get('retry-after')).toBe('2')
      }
      expect(await runningHash()).toBe(before)
      await fleet.router.told('config.yaml is gone')
      await edit('log_level: warn\n')
      expect((await admin.post('/admin/reload')).json().changed).toEqual(['log_level'])
    })

    test('takes no change through the API while it can not be written, and reloads go on', async () => {
      const versions = `${path()}.versions`
      await rm(versions, { recursive: true, force: true })
      // A file where the folder would be: unlike a mode, that stops the superuser as well.
      await writeFile(versions, '')
      expectRefusal(await admin.putConfig(text('responses: {ttl_secs: 7}\n')), 'config_unavailable')
      expect(await readFile(path(), 'utf8')).toBe(text())
      await edit('responses: {ttl_secs: 8}\n')
      expect((await admin.post('/admin/reload')).json().changed).toEqual(['responses'])
      await rm(versions)
      expect((await admin.putConfig(text('responses: {ttl_secs: 9}\n'))).status).toBe(200)
    })

    test('is read anew on SIGHUP, and a broken one is told about', async () => {
      const before = await runningHash()
      await edit('responses: {ttl_secs: 5}\n')
      fleet.router.process.kill('SIGHUP')
      await until(
        async () => (await runningHash()) !== before,
        5_000,
        () => 'SIGHUP did nothing',
      )
      await edit('prot: 1\n')
      fleet.router.process.kill('SIGHUP')
      await fleet.router.told(/config\.yaml:6:1 error prot: unknown key "prot"; did you mean port\?/)
    })

    test('gets what the API is told, comments kept, its mode kept, whole at every moment', async () => {
      await chmod(path(), 0o640)
      const added = await admin.post('/workers', { id: 'b', url: fleet.worker('b').url })
      expect(added.status, added.text).toBe(201)
      const written = await readFile(path(), 'utf8')
      expect(written).toContain('# ours\nworkers:\n')
      expect(written).toContain('# the first')
      expect(written).toContain('id: b')
      expect((await stat(path())).mode & 0o777).toBe(0o640)
      expect((await admin.post('/admin/reload')).json().changed).toEqual([])
      const names = await readdir(`${path()}.versions`)
      expect(names.filter((name) => name.endsWith('.tmp'))).toEqual([])
      for (const name of names) expect((await stat(`${path()}.versions/${name}`)).mode & 0o077).toBe(0)
    })

    test('that was edited is not overwritten before it was loaded', async () => {
      await edit('# somebody works on this\n')
      const config = { workers: [{ url: fleet.worker('a').url }], admin_api_key: ADMIN }
      const refused = await admin.putConfig(config)
      expectRefusal(refused, 'config_conflict')
      expect(refused.json().error.message).toContain('/admin/reload')
      expect(await readFile(path(), 'utf8')).toContain('somebody works on this')
    })

    test('comes back as it was with a rollback', async () => {
      await admin.putConfig({ workers: [{ url: fleet.worker('a').url }], admin_api_key: ADMIN })
      expect(await readFile(path(), 'utf8')).not.toContain('# ours')
      expect((await admin.post('/admin/config/rollback')).status).toBe(200)
      expect(await readFile(path(), 'utf8')).toBe(text())
    })

    test('of concurrent reloads of different files each is whole, and losers are told', async () => {
      const answers = []
      for (let at = 0; at < 5; at += 1) {
        await edit(`responses: {ttl_secs: ${at + 10}}\n`)
        answers.push(...(await Promise.all(Array.from({ length: 10 }, () => admin.post('/admin/reload')))))
      }
      for (const answer of answers) {
        expect([200, 409]).toContain(answer.status)
        if (answer.status === 409) expectRefusal(answer, 'config_conflict')
      }
      expect((await admin.get('/admin/config')).json().config.responses).toEqual({ ttl_secs: 14 })
    })
  })
}
