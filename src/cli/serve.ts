// `serve`: runs the router on one of four runtimes until it is asked to stop.

import { loadConfig } from '../config/load.ts'
import { formatFindings } from '../config/print.ts'
import type { Config } from '../config/config.ts'
import { startServer } from '../server.ts'
import { type Flags, parseFlags } from './flags.ts'
import { EXIT, type Host, RUNTIME_NAMES, type RuntimeName } from './host.ts'
import { loadPolicies } from './plugins.ts'

const HELP = `vllm-edge-router serve: route requests until stopped

  --config FILE      configuration (default: config.yaml)
  --port N           port to listen on (default: \`port\` of the configuration, else 3001)
  --host H           address to listen on (default: \`host\` of the configuration, else 127.0.0.1)
  --runtime NAME     ${RUNTIME_NAMES.join(' | ')} (default: the one this command runs on)
  --plugin FILE      module with policies of your own; may be given several times
  --direct           workerd only: listen with workerd's own socket, one hop less; a client that closes its connection
                     before it is answered then goes unnoticed until the answer
  --help             this text

Prints \`listening on http://HOST:PORT\` when it takes requests. On SIGTERM or SIGINT it takes no new work and lets
running streams finish for \`shutdown_grace_secs\`. Exit codes: 0 stopped in order, 1 configuration or start failed,
2 wrong usage.
`

const FLAGS = {
  config: { kind: 'value' },
  port: { kind: 'value' },
  host: { kind: 'value' },
  runtime: { kind: 'value' },
  plugin: { kind: 'list' },
  direct: { kind: 'switch' },
  help: { kind: 'switch' },
} as const

export async function serve(host: Host, args: readonly string[]): Promise<number> {
  const parsed = parseFlags(args, FLAGS)
  if (!parsed.ok) return misused(host, parsed.message)
  const { flags } = parsed
  if (flags.has('help')) {
    host.writeOut(HELP)
    return EXIT.good
  }
  const runtime = flags.value('runtime') ?? host.runtime
  if (!isRuntimeName(runtime)) return misused(host, `--runtime ${runtime} is none of ${RUNTIME_NAMES.join(', ')}`)
  const port = flags.value('port')
  if (port !== null && !/^\d{1,5}$/.test(port)) return misused(host, `--port ${port} is no port number`)
  if (runtime !== 'workerd' && runtime !== host.runtime) return host.runUnder(runtime, ['serve', ...args])
  return start(host, flags, runtime)
}

async function start(host: Host, flags: Flags, runtime: RuntimeName): Promise<number> {
  const path = flags.value('config') ?? 'config.yaml'
  let text: string
  try {
    text = await host.readFile(path)
  } catch (error) {
    return misused(host, messageOf(error))
  }
  const config = await check(host, flags, runtime, { path, text })
  if (config === null) return EXIT.finding
  const port = flags.value('port')
  const effective = {
    ...config,
    host: flags.value('host') ?? config.host,
    port: port === null ? config.port : Number(port),
  }
  try {
    return runtime === 'workerd' ? await serveInWorkerd(host, flags, effective, text) : await serveHere(host, effective)
  } catch (error) {
    host.writeError(`serve: cannot listen on ${effective.host}:${effective.port}: ${messageOf(error)}\n`)
    return EXIT.finding
  }
}

async function check(
  host: Host,
  flags: Flags,
  runtime: RuntimeName,
  file: { readonly path: string; readonly text: string },
): Promise<Config | null> {
  try {
    const result = await loadConfig(file.text, {
      env: (name) => host.env(name),
      policies: await loadPolicies(host, flags.list('plugin')),
      source: file.path,
      showsConnectPhase: runtime === 'node',
      // Only Workers have bindings; there their names are known to the deployment, not here.
      ...(runtime === 'workerd' ? {} : { bindings: [] }),
    })
    const told = result.findings.filter((finding) => finding.severity !== 'note')
    if (told.length > 0) host.writeError(formatFindings(told, file.path))
    return result.ok ? result.config : null
  } catch (error) {
    host.writeError(`serve: ${messageOf(error)}\n`)
    return null
  }
}

async function serveHere(host: Host, config: Config): Promise<number> {
  const server = await startServer({ config, runtime: host.serverRuntime, writeLine: host.writeLine })
  host.writeOut(`listening on ${server.url}\n`)
  await host.untilAsked()
  if (!(await server.shutdown())) host.writeError('serve: streams that outlived shutdown_grace_secs were cut\n')
  return EXIT.good
}

async function serveInWorkerd(host: Host, flags: Flags, config: Config, configText: string): Promise<number> {
  // From before workerd starts: a signal must never end this process without it.
  const asked = host.untilAsked()
  const server = await host.startWorkerd({
    host: config.host,
    port: config.port,
    configText,
    variables: variablesIn(configText, host),
    isDirect: flags.has('direct'),
    plugins: flags.list('plugin').map((path) => host.absolutePath(path)),
  })
  host.writeOut(`listening on ${server.url}\n`)
  await asked
  await server.stop()
  return EXIT.good
}

/** The environment variables a configuration refers to: a Worker sees no environment but what it is given. */
function variablesIn(text: string, host: Host): Record<string, string> {
  const variables: Record<string, string> = {}
  for (const [, name] of text.matchAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)/g)) {
    const value = name === undefined ? undefined : host.env(name)
    if (name !== undefined && value !== undefined) variables[name] = value
  }
  return variables
}

function isRuntimeName(name: string): name is RuntimeName {
  return RUNTIME_NAMES.some((known) => known === name)
}

function misused(host: Host, message: string): number {
  host.writeError(`serve: ${message}\nSee \`vllm-edge-router serve --help\`.\n`)
  return EXIT.usage
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
