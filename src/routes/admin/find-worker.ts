// The worker that an operator means: by id, or by URL in any spelling.

import type { WorkerConfig } from '../../config/config.ts'
import { workerNameOf } from '../../config/pool.ts'
import { quoted, RouterError } from '../../errors/router-error.ts'

export interface WorkerName {
  readonly id?: string | undefined
  readonly url?: string | undefined
}

/** Throws `worker_not_found`, and `invalid_request` where a name stands for several workers or for none. */
export function findWorker(workers: readonly WorkerConfig[], { id, url }: WorkerName): WorkerConfig {
  const name = id ?? url
  if (name === undefined || (id !== undefined && url !== undefined)) {
    throw new RouterError('invalid_request', 'Name one worker, by `id` or by `url`.')
  }
  const byId = url === undefined ? workers.find((worker) => worker.id === name) : undefined
  if (byId !== undefined) return byId
  const [found, another] = workers.filter((worker) => worker.url === workerNameOf(name))
  if (found === undefined) throw notFound(workers, name)
  if (another !== undefined) {
    throw new RouterError('invalid_request', 'Several workers have this URL; name one of them by its `id`.')
  }
  return found
}

/** Ranks share the process of their worker, and so everything an operator can do to it. */
function notFound(workers: readonly WorkerConfig[], name: string): RouterError {
  const [, whole = '', rank = ''] = /^(.+)@(\d{1,4})$/.exec(name) ?? []
  const worker = workers.find(({ id, url }) => id === whole || url === workerNameOf(whole))
  if (worker === undefined || worker.dataParallelSize === 1 || Number(rank) >= worker.dataParallelSize) {
    return new RouterError('worker_not_found', `There is no worker ${quoted(name)}.`)
  }
  const message = `This is a rank of the worker ${quoted(worker.id)}; ranks come and go with it, so name the worker.`
  return new RouterError('invalid_request', message)
}

/** What follows `/workers/` in the path of a request, decoded: an id or a URL. */
export function workerInPath(requestUrl: string): WorkerName {
  const segment = new URL(requestUrl).pathname.split('/')[2] ?? ''
  return { id: decodeURIComponent(segment) }
}
