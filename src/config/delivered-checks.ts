// What a configuration that comes through the admin API may not do, whoever sends it: reach hosts that no operator
// listed, write to other files, or widen the lists that bound it. Those grow in the file (or the deployment) only.

import { isAllowedUrl } from './allowed-hosts.ts'
import type { Partly } from './check-section.ts'
import type { Config, WorkerConfig } from './config.ts'
import { errorAt, warningAt, type Path, type Problem } from './finding.ts'
import type { ChosenPolicy } from './policy-section.ts'
import type { PoolEntry } from './pool.ts'
import { digestOfReach, reachedBy, type Reached } from './reach.ts'
import { configSchema, type ConfigFile } from './schema.ts'

/** What of the running configuration bounds one that is delivered. */
export interface DeliveredBeside extends Pick<
  Config,
  'workers' | 'adminKeys' | 'allowedWorkerHosts' | 'allowedServiceHosts' | 'document'
> {
  /** Names of environment variables that may be asked for; null for any. */
  readonly configEnv: readonly string[] | null
}

/** The delivered configuration, as far as it is valid. */
export interface Delivered {
  readonly file: Partly<ConfigFile>
  readonly pool: readonly PoolEntry[]
  /** Null when it is not valid. */
  readonly policy: ChosenPolicy | null
}

/** Every way in which the delivered configuration oversteps. */
export function checkDelivered(running: DeliveredBeside, { file, pool, policy }: Delivered): Problem[] {
  const {
    allowed_worker_hosts: workerHosts = [],
    allowed_service_hosts: serviceHosts = [],
    config_env: names = [],
  } = file
  const ofPolicy = policy === null ? [] : reachedBy(policy.schema, policy.options, ['policy'])
  return [
    ...pool.flatMap(({ worker, path }) => checkWorker(running, worker, path)),
    ...[...reachedBy(configSchema, file), ...ofPolicy].flatMap((reached) => checkReach(running, reached)),
    ...grown(['allowed_worker_hosts'], workerHosts, running.allowedWorkerHosts),
    ...grown(['allowed_service_hosts'], serviceHosts, running.allowedServiceHosts),
    ...(running.configEnv === null ? [] : grown(['config_env'], names, running.configEnv)),
    ...lastKey(running, file),
  ]
}

function checkWorker(running: DeliveredBeside, worker: WorkerConfig, path: Path): Problem[] {
  const { url, binding } = worker
  // Through another binding the same URL is another network's host.
  if (running.workers.some((known) => known.url === url && known.binding === binding)) return []
  const isDescribed = path[0] === 'workers'
  if (binding !== null && !running.workers.some((known) => known.binding === binding)) {
    const message = 'is a binding that no worker of the running configuration uses; what is deployed can add one'
    return [errorAt(isDescribed ? [...path, 'binding'] : path, message)]
  }
  if (isAllowedUrl(url, running.allowedWorkerHosts)) return []
  return [errorAt(isDescribed ? [...path, 'url'] : path, unlisted('allowed_worker_hosts', running.allowedWorkerHosts))]
}

function checkReach(running: DeliveredBeside, reached: Reached): Problem[] {
  const { path, reach, value } = reached
  // Workers are checked as the pool they make, bindings included.
  if (reach === 'worker' || running.document.reaches.includes(digestOfReach(reached))) return []
  if (reach !== 'service') {
    const message = `is not the ${reach} that the running configuration has; only the file (or the deployment) it began with can name another`
    return [errorAt(path, message)]
  }
  if (isAllowedUrl(value, running.allowedServiceHosts)) return []
  return [errorAt(path, unlisted('allowed_service_hosts', running.allowedServiceHosts))]
}

function unlisted(key: string, hosts: readonly string[]): string {
  const list = hosts.length === 0 ? ', which is empty' : ''
  const where = 'in the file (or the deployment) that the router began with'
  return `is at a host that is not in ${key} of the running configuration${list}; list [http://]HOST:PORT there, ${where}`
}

function grown(path: Path, list: readonly (string | undefined)[], running: readonly string[]): Problem[] {
  return list.flatMap((item, index) => {
    if (item === undefined || running.includes(item)) return []
    const where = 'the running configuration; only the file (or the deployment) that it began with can add to this list'
    return [errorAt([...path, index], `is not in the list of ${where}`)]
  })
}

/** Whoever forgets the keys in a document that is taken whole can't send the next one. */
function lastKey({ adminKeys }: DeliveredBeside, file: Partly<ConfigFile>): Problem[] {
  const { admin_api_key: single, admin_api_keys: keys = [] } = file
  if (adminKeys.length === 0 || single !== undefined || keys.length > 0) return []
  const message = 'is gone, and there are no admin_api_keys: admin routes are closed, or open to this machine alone'
  return [warningAt(['admin_api_key'], message)]
}
