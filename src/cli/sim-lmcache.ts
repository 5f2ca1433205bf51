// The `sim-lmcache` command: a simulated LMCache control plane, run until a signal ends it.

import { DEFAULT_CONTROLLER_OPTIONS, type SimulatedControllerOptions } from '../simulator/lmcache/controller-options.ts'
import { runSimulator, type SimulatorHost } from './run-simulator.ts'
import { FAULT_HELP } from './sim-fault-help.ts'
import { describeFlags, parseSimFlags, type SimFlag } from './sim-flags.ts'

export const SIM_LMCACHE_FLAGS: readonly SimFlag<keyof SimulatedControllerOptions>[] = [
  { name: 'port', option: 'port', kind: 'count', help: 'port to listen on; 0 for any' },
  { name: 'host', option: 'host', kind: 'text', help: 'address to listen on' },
  { name: 'control-port', option: 'controlPort', kind: 'count', help: 'second port, for /sim/* even while refusing' },
  { name: 'seed', option: 'seed', kind: 'count', help: 'seed of fault dice' },
  { name: 'lag-ms', option: 'lagMs', kind: 'number', help: 'how long a report takes to become visible' },
  {
    name: 'shows-key-count',
    option: 'showsKeyCount',
    kind: 'boolean',
    help: 'key_count in /controller/workers; older releases: --no-shows-key-count',
  },
  {
    name: 'asks-for-snapshots',
    option: 'asksForSnapshots',
    kind: 'boolean',
    help: 'after a restart, ask workers for all they hold',
  },
  { name: 'wrong-schema', option: 'wrongSchema', kind: 'boolean', help: 'answer JSON that nobody expects' },
  {
    name: 'hash-seed',
    option: 'hashSeed',
    kind: 'text',
    help: 'of lookups; any but the empty one of workers finds nothing, as another PYTHONHASHSEED or chunk_size does',
  },
  {
    name: 'ignores-evictions',
    option: 'ignoresEvictions',
    kind: 'boolean',
    help: 'believe that what workers evicted is still there',
  },
  { name: 'max-lookup-tokens', option: 'maxLookupTokens', kind: 'count', help: 'limit of /directory/lookup' },
  { name: 'fault', option: 'faults', kind: 'faults', help: 'fault rule as JSON; repeatable, see below' },
  { name: 'log-requests', option: 'logRequests', kind: 'count', help: 'requests that /sim/state shows' },
]

const ROUTES_HELP = `Answers as LMCache's legacy controller (/lookup, /controller/workers, /controller/key-stats, /query_instance, /health)
and as its coordinator (/directory/lookup, /directory/stats, /instances, /healthz). Simulated workers report to it:

  vllm-edge-router sim-worker --port 8001 --model m --lmcache-controller http://127.0.0.1:9000

POST /sim/restart makes it forget everything; POST /sim/hash-seed {"seed":"x"} makes it blind; GET /sim/state shows what it was asked, and how much it knows.`

/** The text of --help. */
export function toSimLmcacheHelp(): string {
  return [
    'Usage: vllm-edge-router sim-lmcache [--port P] [options]',
    '',
    'A simulated LMCache controller and coordinator, with the traps of the real ones.',
    '',
    ...describeFlags(SIM_LMCACHE_FLAGS, { ...DEFAULT_CONTROLLER_OPTIONS }),
    '',
    ROUTES_HELP,
    '',
    FAULT_HELP,
  ].join('\n')
}

/** Runs the command; returns its exit code. */
export function runSimLmcache(
  args: readonly string[],
  host: SimulatorHost<SimulatedControllerOptions>,
): Promise<number> {
  const parse = (given: readonly string[]): SimulatedControllerOptions | string =>
    parseSimFlags(SIM_LMCACHE_FLAGS, given)
  return runSimulator(args, { name: 'sim-lmcache', help: toSimLmcacheHelp, parse }, host)
}
