// Several routers in front of the same simulated workers, as one fleet through a Redis.

import { afterAll, beforeAll } from 'vitest'
import { type StartedWorker, startSimulatedWorker } from '../../src/runtime/node-simulator.ts'
import { type AdminClient, adminClient } from './admin-client.ts'
import { type Answered, chatBody, postJson } from './ask.ts'
import { type LaunchedRouter, launchRouter, type RuntimeName, until } from './launch.ts'
import { type RedisServer, startRedisServer } from './redis-server.ts'

export const WORKERS = ['a', 'b', 'c'] as const
export type WorkerName = (typeof WORKERS)[number]

export interface GroupMember {
  readonly router: LaunchedRouter
  readonly admin: AdminClient
  chat(headers?: Readonly<Record<string, string>>): Promise<Answered>
  /** `leader`, `follower` or `alone`, as it says itself. */
  role(): Promise<string>
  worker(name: WorkerName): Promise<Record<string, unknown>>
}

export interface RouterGroup {
  readonly members: readonly GroupMember[]
  /** Those that have not been killed. */
  living(): readonly GroupMember[]
  worker(name: WorkerName): StartedWorker
  member(at: number): GroupMember
  leader(): Promise<GroupMember>
  /** A new process of the group. */
  join(runtime: RuntimeName): Promise<GroupMember>
  /** Ends Redis; the function returned starts it again, empty, where it was. */
  stopRedis(): Promise<() => Promise<void>>
  /** Redis takes connections and says nothing, until the function returned is called. */
  hangRedis(): () => void
  /** Requests to every living member, one after the other each, until stopped; resolves with all their answers. */
  traffic(): { stop(): Promise<readonly Answered[]> }
}

export interface GroupOptions {
  readonly runtimes: readonly RuntimeName[]
  /** More of the configuration. */
  readonly config?: object
  readonly itlMs?: number
}

/** Registers start and end with the enclosing `describe`. */
export function routerGroup({ runtimes, config = {}, itlMs = 0 }: GroupOptions): RouterGroup {
  const workers = new Map<WorkerName, StartedWorker>()
  const members: GroupMember[] = []
  let redis: RedisServer | null = null

  async function join(runtime: RuntimeName): Promise<GroupMember> {
    const text = JSON.stringify({
      workers: WORKERS.map((name) => ({ id: name, url: workers.get(name)?.url })),
      state: { redis_url: redis?.url, key_prefix: 'group' },
      health_check: { check_interval_secs: 1, timeout_secs: 5 },
      allowed_worker_hosts: ['http://127.0.0.1:*'],
      ...config,
    })
    const router = await launchRouter(runtime, { config: text })
    const admin = adminClient(() => router.url, null)
    const member: GroupMember = {
      router,
      admin,
      chat: (headers = {}) => postJson(`${router.url}/v1/chat/completions`, chatBody('m'), headers),
      role: async () => (await admin.get('/admin/stats')).json().fleet.role,
      worker: async (name) => (await admin.get(`/workers/${name}`)).json(),
    }
    members.push(member)
    return member
  }

  beforeAll(async () => {
    redis = await startRedisServer()
    for (const name of WORKERS) {
      const options = { port: 0, prefillOverheadMs: 0, prefillMsPerToken: 0, itlMs, itlJitter: 0 }
      workers.set(
        name,
        await startSimulatedWorker({ ...options, models: ['m'], outputTokens: 100_000, logRequests: 50_000 }),
      )
    }
    await Promise.all(runtimes.map(join))
  }, 120_000)
  afterAll(async () => {
    await Promise.all(members.map(({ router }) => router.stop()))
    await Promise.all([...workers.values()].map((worker) => worker.close()))
    await redis?.stop()
  })

  const isAlive = ({ router }: GroupMember) => router.process.exitCode === null && router.process.signalCode === null
  const living = () => members.filter(isAlive)
  return {
    members,
    living,
    join,
    worker: (name) => present(workers.get(name)),
    member: (at) => present(members[at]),
    async leader() {
      let found: GroupMember | undefined
      await until(
        async () => {
          const roles = await Promise.all(living().map(async (member) => ({ member, role: await member.role() })))
          const leaders = roles.filter(({ role }) => role === 'leader')
          found = leaders[0]?.member
          return leaders.length === 1 && roles.every(({ role }) => role !== 'alone')
        },
        20_000,
        () => 'no single process leads',
      )
      return present(found)
    },
    async stopRedis() {
      const { port } = present(redis)
      await redis?.stop()
      return async () => {
        redis = await startRedisServer({ port })
      }
    },
    hangRedis() {
      const { process } = present(redis)
      process.kill('SIGSTOP')
      return () => void process.kill('SIGCONT')
    },
    traffic() {
      let isOn = true
      const answers: Answered[] = []
      const loops = living().map(async (member) => {
        while (isOn) answers.push(await member.chat())
      })
      return {
        async stop() {
          isOn = false
          await Promise.all(loops)
          return answers
        },
      }
    },
  }
}

function present<Value>(value: Value | null | undefined): Value {
  if (value === null || value === undefined) throw new Error('it has not been started')
  return value
}
