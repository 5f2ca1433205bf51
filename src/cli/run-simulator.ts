// What the commands that run a simulator have in common: help, complaints, the one line that says where it listens.

import { EXIT } from './host.ts'

/** What a runtime lends the command. */
export interface SimulatorHost<Options> {
  start(options: Options): Promise<{ readonly url: string; close(): Promise<void> }>
  printLine(line: string): void
  printError(line: string): void
  /** Settles at SIGTERM or SIGINT. */
  untilStopped(): Promise<unknown>
}

export interface SimulatorCommand<Options> {
  readonly name: string
  help(): string
  /** Options, or what is wrong with the arguments. */
  parse(args: readonly string[]): Options | string
}

/** Runs a simulator until it is stopped; resolves with the exit code. */
export async function runSimulator<Options extends object>(
  args: readonly string[],
  { name, help, parse }: SimulatorCommand<Options>,
  host: SimulatorHost<Options>,
): Promise<number> {
  if (args.some((arg) => arg === '--help' || arg === '-h')) {
    host.printLine(help())
    return EXIT.good
  }
  const options = parse(args)
  if (typeof options === 'string') {
    host.printError(`${options}\nSee: vllm-edge-router ${name} --help`)
    return EXIT.usage
  }
  const running = await host.start(options)
  host.printLine(`listening on ${running.url}`)
  await host.untilStopped()
  await running.close()
  return EXIT.good
}
