// The `sim-worker` command: flags to options, and a simulated worker run until a signal ends it. Names no runtime: the
// caller starts the worker and says when to stop.

import type { SimulatedWorkerOptions } from '../simulator/options.ts'
import { parseSimFlags } from './sim-flags.ts'
import { runSimulator, type SimulatorHost } from './run-simulator.ts'
import { SIM_WORKER_FLAGS, toSimWorkerHelp } from './sim-worker-flags.ts'

/** Runs the command; returns its exit code. */
export function runSimWorker(args: readonly string[], host: SimulatorHost<SimulatedWorkerOptions>): Promise<number> {
  return runSimulator(args, { name: 'sim-worker', help: toSimWorkerHelp, parse: parseSimWorkerArgs }, host)
}

/** Reads the arguments after `sim-worker`: options, or what is wrong. */
export function parseSimWorkerArgs(args: readonly string[]): SimulatedWorkerOptions | string {
  const options = parseSimFlags(SIM_WORKER_FLAGS, args)
  if (typeof options === 'string') return options
  if (!Array.isArray(options['models'])) return 'Give at least one --model.'
  // The table names the option of each flag and the kind of its value; a test holds the two together.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
  return options as unknown as SimulatedWorkerOptions
}
