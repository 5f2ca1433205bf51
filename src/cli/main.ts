// The command line: which command, and the help that lists them. A command's code is loaded when it is run: what the others
// are made of is most of this program.

import { ROUTER_VERSION } from '../version.ts'
import { EXIT, type Host } from './host.ts'
import type { SimulatorHost } from './run-simulator.ts'

interface Command {
  readonly about: string
  run(host: Host, args: readonly string[]): Promise<number>
}

const COMMANDS: Readonly<Record<string, Command>> = {
  init: {
    about: 'write a configuration to begin with',
    run: async (host, args) => (await import('./init.ts')).init(host, args),
  },
  serve: {
    about: 'route requests to a fleet of vLLM workers',
    run: async (host, args) => (await import('./serve.ts')).serve(host, args),
  },
  validate: { about: 'check a configuration and say everything that is wrong with it', run: validate },
  explain: {
    about: 'say in words why a request went where it went, or where one would go',
    run: async (host, args) => (await import('./explain.ts')).explain(host, args),
  },
  replay: {
    about: 'make recorded decisions again under another configuration',
    run: async (host, args) => (await import('./replay.ts')).replay(host, args),
  },
  'sim-worker': {
    about: 'run a simulated vLLM worker, for demos and tests',
    async run(host, args) {
      const { runSimWorker } = await import('./sim-worker.ts')
      return runSimWorker(args, simulatorHost(host, host.startSimulatedWorker))
    },
  },
  'sim-lmcache': {
    about: 'run a simulated LMCache controller, for demos and tests',
    async run(host, args) {
      const { runSimLmcache } = await import('./sim-lmcache.ts')
      return runSimLmcache(args, simulatorHost(host, host.startSimulatedController))
    },
  },
}

async function validate(host: Host, args: readonly string[]): Promise<number> {
  const { runValidate } = await import('./validate.ts')
  return runValidate({
    args,
    readFile: host.readFile,
    loadPolicies: async (modules) => (await import('./plugins.ts')).loadPolicies(host, modules),
    async askWorkers(workers) {
      const { askWorkers } = await import('../server.ts')
      return askWorkers(await host.loadServerRuntime(), workers)
    },
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
