// The fault table: workers that can't be connected to. Their certificates need a router of their own.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { ERROR_CODES } from '../../src/errors/codes.ts'
import { adminClient } from '../support/admin-client.ts'
import { type Answered, chatBody, expectRefusal, postJson } from '../support/ask.ts'
import { freePort, type LaunchedRouter, launchRouter, type RuntimeName, until } from '../support/launch.ts'
import { type RawWorker, startRawWorker } from '../support/raw-worker.ts'
import { createTestAuthority, type TestAuthority, type TestCertificate } from '../support/test-certificate.ts'
import { startTlsWorker, type TlsWorker } from '../support/tls-worker.ts'
import { answerWell } from './fault-bench.ts'
import type { FaultRow } from './fault-row.ts'

const ADMIN_KEY = 'operator-0123456789'
const YEAR_MS = 365 * 24 * 3_600_000

/** What a worker's certificate becomes; the first of each worker is good. */
const BAD = ['expired', 'elsewhere', 'stranger'] as const

type Bad = (typeof BAD)[number]

function badCertificate(name: Bad, trusted: TestAuthority): TestCertificate {
  const notAfter = new Date(Date.now() + (name === 'expired' ? -3_600_000 : YEAR_MS))
  const authority = name === 'stranger' ? createTestAuthority('nobody knows them') : trusted
  return authority.issue({ address: name === 'elsewhere' ? '10.0.0.1' : '127.0.0.1', notAfter })
}

export interface ConnectionBench {
  readonly runtime: RuntimeName
  tls(name: Bad): { readonly worker: TlsWorker; readonly bad: TestCertificate }
  chat(model: string): Promise<Answered>
  shown(worker: string): Promise<{ readonly availability: string; readonly reason: string }>
  record(model: string): Promise<Record<string, unknown>>
}

/** Registers start and end of its processes with the enclosing `describe`. */
export function connectionBench(runtime: RuntimeName): ConnectionBench {
  const tls = new Map<Bad, { readonly worker: TlsWorker; readonly bad: TestCertificate }>()
  const directory = mkdtempSync(join(tmpdir(), 'vllm-edge-router-tls-'))
  let plain: RawWorker | null = null
  let router: LaunchedRouter | null = null

  beforeAll(async () => {
    const trusted = createTestAuthority(`test ${runtime}`)
    for (const name of BAD) {
      const good = trusted.issue({ address: '127.0.0.1', notAfter: new Date(Date.now() + YEAR_MS) })
      tls.set(name, { worker: await startTlsWorker(name, good), bad: badCertificate(name, trusted) })
    }
    const file = join(directory, 'trusted.pem')
    writeFileSync(file, trusted.cert)
    plain = await startRawWorker('beside')
    plain.answer(answerWell)
    router = await launchRouter(runtime, {
      config: JSON.stringify({
        workers: [
          ...[...tls].map(([name, { worker }]) => ({ id: name, url: worker.url, models: [name] })),
          { id: 'nameless', url: 'http://no-such-host.invalid:8000', models: ['nameless', 'beside'] },
          { id: 'closed', url: `http://127.0.0.1:${await freePort()}`, models: ['closed', 'beside'] },
          { id: 'plain', url: plain.url },
        ],
        policy: 'round_robin',
        admin_api_key: ADMIN_KEY,
        allow_anonymous: true,
        health_check: { check_interval_secs: 600 },
        timeouts: { first_byte: '5s' },
      }),
      env: { NODE_EXTRA_CA_CERTS: file, DENO_CERT: file },
    })
  })
  afterAll(async () => {
    await router?.stop()
    await Promise.all([plain?.close(), ...[...tls.values()].map(({ worker }) => worker.close())])
    rmSync(directory, { recursive: true })
  })

  const started = () => {
    if (router === null) throw new Error('the router has not been started')
    return router
  }
  const admin = adminClient(() => started().url, ADMIN_KEY)
  let count = 0
  const idOf = (model: string) => `${runtime}-${model}-${count}`
  return {
    runtime,
    tls(name) {
      const found = tls.get(name)
      if (found === undefined) throw new Error(`no worker is called ${name}`)
      return found
    },
    chat(model) {
      count += 1
      return postJson(`${started().url}/v1/chat/completions`, chatBody(model), { 'x-request-id': idOf(model) })
    },
    shown: async (worker) => (await admin.get(`/workers/${worker}`)).json(),
    record: (model) => started().record((record) => record['request_id'] === idOf(model)),
  }
}

async function expectNobody(bench: ConnectionBench, model: string): Promise<void> {
  const answer = await bench.chat(model)
  expectRefusal(answer, 'no_worker')
  expect(answer.text).not.toContain('invalid')
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(await bench.record(model)).toMatchObject({ error: 'no_worker', status: 503 })
  for (let turn = 0; turn < 6; turn += 1) {
    const beside = await bench.chat('beside')
    expect([beside.status, beside.headers.get('x-vllm-router-worker')], beside.text).toEqual([200, 'plain'])
  }
  await untilOut(bench, model)
}

async function expectUntrusted(bench: ConnectionBench, name: Bad): Promise<void> {
  const { worker, bad } = bench.tls(name)
  // workerd has the same words for every connection that fails.
  const [code, reason] =
    bench.runtime === 'workerd' ? (['no_worker', 'network'] as const) : (['upstream_tls', 'tls'] as const)
  const good = await bench.chat(name)
  expect([good.status, good.text], good.text).toEqual([200, expect.stringContaining('over TLS')])
  const served = worker.served()
  worker.useCertificate(bad)
  await until(
    async () => {
      const answer = await bench.chat(name)
      expectRefusal(answer, answer.json().error.code)
      if (answer.json().error.code !== code) return false
      const record = await bench.record(name)
      expect(record).toMatchObject({ error: code, status: ERROR_CODES[code].status })
      // A connection that was open a moment ago may break once before a new one is made.
      return (record['attempts'] as { reason?: string }[]).some((line) => line.reason === reason)
    },
    5_000,
    () => `${name} was never refused for its certificate`,
  )
  await untilOut(bench, name)
  expect(worker.served()).toBe(served)
}

/** Out for all callers, after as many of them as it takes: where nothing is surely unsent, that is two. */
async function untilOut(bench: ConnectionBench, name: string): Promise<void> {
  await until(
    async () => {
      await bench.chat(name)
      return ['down', 'suspect'].includes((await bench.shown(name)).availability)
    },
    10_000,
    () => `${name} still counts as well`,
  )
}

const NOBODY = {
  client: '503 `no_worker` with Retry-After; nothing where somebody else serves the model',
  retried: 'every other worker, at once, free of the budget',
  breaker: 'a fault, and the worker is out until a probe has found it well; on workerd after two',
} as const

const UNTRUSTED = {
  client: '502 `upstream_tls`; 503 `no_worker` once the worker is out, and always on workerd, which does not say why',
  record: '`unreachable`: `tls`; on workerd `network`',
  retried: 'every other worker; never without TLS',
  breaker: 'a fault, and the worker is out until a probe has found it well; on workerd after two',
} as const

export const CONNECTION_ROWS: readonly FaultRow<ConnectionBench>[] = [
  {
    id: 'F01',
    fault: 'nobody listens at the address of a worker',
    record: '`unreachable`: `refused`; on workerd `network`',
    ...NOBODY,
    prove: (bench) => expectNobody(bench, 'closed'),
  },
  {
    id: 'F02',
    fault: 'the host name of a worker can not be resolved',
    record: '`unreachable`: `dns`; on workerd `network`',
    ...NOBODY,
    prove: (bench) => expectNobody(bench, 'nameless'),
  },
  {
    id: 'F03',
    fault: 'the certificate of a worker has expired',
    ...UNTRUSTED,
    prove: (bench) => expectUntrusted(bench, 'expired'),
  },
  {
    id: 'F03',
    fault: 'the certificate of a worker is for another name',
    ...UNTRUSTED,
    prove: (bench) => expectUntrusted(bench, 'elsewhere'),
  },
  {
    id: 'F03',
    fault: 'the certificate of a worker is signed by nobody who is trusted',
    ...UNTRUSTED,
    prove: (bench) => expectUntrusted(bench, 'stranger'),
  },
]
