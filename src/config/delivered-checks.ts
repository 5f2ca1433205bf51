// What a configuration that comes through the admin API may not do, whoever sends it: reach hosts that no operator
// listed, or widen the two lists that bound it. Those grow in the file (or the deployment) only.

import type { Partly } from './check-section.ts'
import type { Config, WorkerConfig } from './config.ts'
import { errorAt, type Path, type Problem } from './finding.ts'
import type { PoolEntry } from './pool.ts'
import type { ConfigFile } from './schema.ts'
import { isAllowedWorkerUrl } from './worker-hosts.ts'

/** What of the running configuration bounds one that is delivered. */
export interface DeliveredBeside extends Pick<Config, 'workers' | 'allowedWorkerHosts'> {
  /** Names of environment variables that may be asked for; null for any. */
  readonly configEnv: readonly string[] | null
}

/** Every way in which the delivered configuration oversteps. */
export function checkDelivered(
  running: DeliveredBeside,
  file: Partly<ConfigFile>,
  pool: readonly PoolEntry[],
): Problem[] {
  const { allowed_worker_hosts: hosts = [], config_env: names = [] } = file
  return [
    ...pool.flatMap(({ worker, path }) => checkWorker(running, worker, path)),
    ...grown(['allowed_worker_hosts'], hosts, running.allowedWorkerHosts),
    ...(running.configEnv === null ? [] : grown(['config_env'], names, running.configEnv)),
  ]
}

function checkWorker(running: DeliveredBeside, worker: WorkerConfig, path: Path): Problem[] {
  // Through another binding the same URL is another network's host.
  const isKnown = running.workers.some(({ url, binding }) => url === worker.url && binding === worker.binding)
  if (isKnown || isAllowedWorkerUrl(worker.url, running.allowedWorkerHosts)) return []
  const list = running.allowedWorkerHosts.length === 0 ? ', which is empty' : ''
  const place = path[0] === 'workers' ? [...path, 'url'] : path
  const message = `is at a host that is not in allowed_worker_hosts of the running configuration${list}`
  return [errorAt(place, `${message}; list [http://]HOST:PORT there, in the file that the router was started with`)]
}

function grown(path: Path, list: readonly (string | undefined)[], running: readonly string[]): Problem[] {
  return list.flatMap((item, index) => {
    if (item === undefined || running.includes(item)) return []
    const where = 'the running configuration; only the file that the router was started with can add to this list'
    return [errorAt([...path, index], `is not in the list of ${where}`)]
  })
}
