// The command line: which command, and the help that lists them.

import { ROUTER_VERSION } from '../version.ts'
import { EXIT, type Host } from './host.ts'
import { askWorkers } from '../server.ts'
import { explain } from './explain.ts'
import { init } from './init.ts'
import { loadPolicies } from './plugins.ts'
import { replay } from './replay.ts'
import { serve } from './serve.ts'
import type { SimulatorHost } from './run-simulator.ts'
import { runSimLmcache } from './sim-lmcache.ts'
import { runSimWorker } from './sim-worker.ts'
import { runValidate } from './validate.ts'

interface Command {
  readonly about: string
  run(host: Host, args: readonly string[]): Promise<number>
}

const COMMANDS: Readonly<Record<string, Command>> = {
  init: { about: 'write a configuration to begin with', run: init },
  serve: { about: 'route requests to a fleet of vLLM workers', run: serve },
  validate: { about: 'check a configuration and say everything that is wrong with it', run: validate },
  explain: { about: 'say in words why a request went where it went, or where one would go', run: explain },
  replay: { about: 'make recorded decisions again under another configuration', run: replay },
  'sim-worker': {
    about: 'run a simulated vLLM worker, for demos and tests',
    run: (host, args) => runSimWorker(args, simulatorHost(host, host.startSimulatedWorker)),
  },
  'sim-lmcache': {
    about: 'run a simulated LMCache controller, for demos and tests',
    run: (host, args) => runSimLmcache(args, simulatorHost(host, host.startSimulatedController)),
  },
}

function validate(host: Host, args: readonly string[]): Promise<number> {
  return runValidate({
    args,
    readFile: host.readFile,
    loadPolicies: (modules) => loadPolicies(host, modules),
    askWorkers: (workers) => askWorkers(host.serverRuntime, workers),
    env: host.env,
    write: host.writeOut,
    writeError: host.writeError,
  })
}

function simulatorHost<Options>(host: Host, start: SimulatorHost<Options>['start']): SimulatorHost<Options> {
  return {
    start,
    printLine: (line) => host.writeOut(`${line}\n`),
    printError: (line) => host.writeError(`${line}\n`),
    untilStopped: host.untilAsked,
  }
}

function help(): string {
  const lines = Object.entries(COMMANDS).map(([name, { about }]) => `  ${name.padEnd(12)} ${about}`)
  return `vllm-edge-router ${ROUTER_VERSION}: one OpenAI-compatible address in front of a vLLM fleet

Commands:
${lines.join('\n')}

\`vllm-edge-router COMMAND --help\` explains one. Exit codes: 0 good, 1 finding, 2 wrong usage.
`
}

/** Runs the command named by the arguments; resolves with the exit code. */
export async function runCommandLine(host: Host): Promise<number> {
  const [name, ...rest] = host.args
  if (name === '--version') {
    host.writeOut(`${ROUTER_VERSION}\n`)
    return EXIT.good
  }
  if (name === undefined || name === '--help' || name === 'help') {
    host.writeOut(help())
    return name === undefined ? EXIT.usage : EXIT.good
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command === undefined) {
    host.writeError(`unknown command ${name}\n\n${help()}`)
    return EXIT.usage
  }
  return command.run(host, rest)
}
