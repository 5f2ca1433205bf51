// What goes wrong during a soak, one after the other, round and round: workers that die, streams that are cut, workers that
// hang, drains, and configurations that come and go.

import type { StartedWorker } from '../../src/runtime/node-simulator.ts'
import type { AdminClient } from '../../test/support/admin-client.ts'

export interface Trouble {
  /** How often each has happened. */
  readonly counts: Readonly<Record<string, number>>
  /** Ends what is under way, and sets all right. */
  stop(): Promise<void>
}

export interface TroubleOptions {
  readonly workers: readonly StartedWorker[]
  readonly admin: AdminClient
  /** Configurations that differ in something; each reload takes the next. */
  readonly configs: readonly string[]
  /** Between the beginnings of two. */
  readonly everyMs: number
}

export function startTrouble({ workers, admin, configs, everyMs }: TroubleOptions): Trouble {
  const counts = { deaths: 0, cuts: 0, hangs: 0, drains: 0, reloads: 0 }
  const stopping = Promise.withResolvers<void>()
  let isOver = false
  /** Half of the time it is wrong, half of it right again. */
  const aWhile = () => Promise.race([stopping.promise, new Promise((resolve) => setTimeout(resolve, everyMs / 2))])
  const fault = async (worker: StartedWorker, given: Parameters<StartedWorker['setFaults']>[0]) => {
    await worker.setFaults(given)
    await aWhile()
    await worker.setFaults([])
  }
  const kinds: readonly ((worker: StartedWorker, turn: number) => Promise<unknown>)[] = [
    (worker) => fault(worker, { refuse: true }).finally(() => (counts.deaths += 1)),
    (worker) => fault(worker, { die_mid_stream: { after_events: 3, mode: 'rst' } }).finally(() => (counts.cuts += 1)),
    async (worker) => {
      const id = `w${workers.indexOf(worker)}`
      const drained = await admin.post('/admin/drain', { id, timeout_secs: 30 })
      await aWhile()
      await admin.post('/admin/undrain', { id })
      if (drained.status < 300) counts.drains += 1
    },
    (worker) => fault(worker, { hang: true, times: 3 }).finally(() => (counts.hangs += 1)),
    async (_, turn) => {
      const changed = await admin.putConfig(configs[Math.floor(turn / kinds.length) % configs.length] ?? '')
      if (changed.status < 300) counts.reloads += 1
    },
  ]
  const running = (async () => {
    for (let turn = 0; !isOver; turn += 1) {
      const worker = workers[turn % workers.length]
      if (worker !== undefined) await kinds[turn % kinds.length]?.(worker, turn)
      await aWhile()
    }
  })()
  return {
    counts,
    async stop() {
      isOver = true
      stopping.resolve()
      await running
    },
  }
}
