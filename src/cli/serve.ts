// `serve`: runs the router on one of four runtimes until it is asked to stop.

import { recordsAny } from '../capture/replay-capture.ts'
import { formatFindings } from '../config/print.ts'
import type { Config } from '../config/config.ts'
import type { ConfigSource } from '../control/config-source.ts'
import { LEVELS, LOG_VARIABLES, toLevel } from '../config/log-schema.ts'
import { METRIC_VARIABLES } from '../config/metrics-environment.ts'
import { TRACE_VARIABLES } from '../config/trace-environment.ts'
import { toEntry } from '../observe/log/entry.ts'
import { startServer } from '../server.ts'
import { createVectorFile } from '../store/vector-file.ts'
import { type Flags, parseFlags } from './flags.ts'
import { EXIT, type Host, RUNTIME_NAMES, type RuntimeName, type StartWorkerdOptions } from './host.ts'
import { openServeLog, startedEntry } from './serve-log.ts'
import { loaderFor, openSource, reload } from './serve-config.ts'

const HELP = `vllm-edge-router serve: route requests until stopped

  --config FILE      configuration (default: config.yaml)
  --port N           port to listen on (default: \`port\` of the configuration, else 3001)
  --host H           address to listen on (default: \`host\` of the configuration, else 127.0.0.1)
  --runtime NAME     ${RUNTIME_NAMES.join(' | ')} (default: the one this command runs on)
  --plugin FILE      module with policies of your own; may be given several times
  --log-level LEVEL  ${LEVELS.join(' | ')} (default: \`log_level\` of the configuration, else info)
  --direct           workerd only: listen with workerd's own socket, one hop less; a client that closes its connection
                     before it is answered then goes unnoticed until the answer
  --help             this text

Prints \`listening on http://HOST:PORT\` when it takes requests. On SIGHUP it loads the file anew (except in a terminal,
which sends that signal when it closes, and on workerd). On SIGTERM or SIGINT it takes no new work and lets running
streams finish for \`shutdown_grace_secs\`. Exit codes: 0 stopped in order, 1 configuration or start failed, 2 wrong usage.
`

const FLAGS = {
  config: { kind: 'value' },
  port: { kind: 'value' },
  host: { kind: 'value' },
  runtime: { kind: 'value' },
  plugin: { kind: 'list' },
  'log-level': { kind: 'value' },
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
  const level = flags.value('log-level')
  if (level !== null && toLevel(level) === undefined)
    return misused(host, `--log-level ${level} is none of ${LEVELS.join(', ')}`)
  if (runtime !== 'workerd' && runtime !== host.runtime) return host.runUnder(runtime, ['serve', ...args])
  return start(level === null ? host : withLogLevel(host, level), flags, runtime)
}

async function start(host: Host, flags: Flags, runtime: RuntimeName): Promise<number> {
  const path = flags.value('config') ?? 'config.yaml'
  let text: string
  try {
    text = await host.readFile(path)
  } catch (error) {
    return misused(host, messageOf(error))
  }
  let load: ConfigSource['load']
  try {
    load = await loaderFor(host, { path, runtime, plugins: flags.list('plugin') })
  } catch (error) {
    host.writeError(`serve: ${messageOf(error)}\n`)
    return EXIT.finding
  }
  const result = await load(text, null)
  const told = result.findings.filter((finding) => finding.severity !== 'note')
  const warnings = told.length
  if (told.length > 0) host.writeError(formatFindings(told, path))
  if (!result.ok) return EXIT.finding
  const port = flags.value('port')
  const effective = {
    ...result.config,
    host: flags.value('host') ?? result.config.host,
    port: port === null ? result.config.port : Number(port),
  }
  try {
    if (runtime === 'workerd') return await serveInWorkerd(host, flags, { config: effective, text, path, warnings })
    const source = await openSource(host, { path, text, hash: effective.hash, load })
    return await serveHere(host, { config: effective, source, path, warnings })
  } catch (error) {
    host.writeError(`serve: cannot listen on ${effective.host}:${effective.port}: ${messageOf(error)}\n`)
    return EXIT.finding
  }
}

/** The flag stands in for the variable, whatever the process was given, and for every reload. */
function withLogLevel(host: Host, level: string): Host {
  return { ...host, env: (name) => (name === LOG_VARIABLES.level ? level : host.env(name)) }
}

interface Serving {
  readonly config: Config
  readonly path: string
  /** What the operator was warned of before. */
  readonly warnings: number
}

async function serveHere(
  host: Host,
  { config, source, path, warnings }: Serving & { readonly source: ConfigSource },
): Promise<number> {
  let running = () => config
  const log = openServeLog(host, () => running())
  const server = await startServer({
    config,
    source,
    runtime: await host.loadServerRuntime(),
    logFiles: host.logFiles,
    openReplayStore: (store) => host.openReplayStore(store),
    connectRedis: host.connectRedis,
    openRedis: host.openRedis,
    vectorStore: createVectorFile({
      files: host.files,
      path: `${host.absolutePath(path)}.vectors.json`,
      now: () => Date.now(),
    }),
    writeLog: log.write,
  })
  running = server.router.config
  host.onReloadAsked(() => void reload(host, server.router, path))
  host.writeOut(`listening on ${server.url}\n`)
  const { url } = server
  log.write(startedEntry(Date.now(), config, { runtime: host.runtime, url, path, warnings }))
  await host.untilAsked()
  log.write(toEntry(Date.now(), 'info', 'stopping', { in_flight: server.router.inFlight() }))
  const isDone = await server.shutdown()
  log.write(toEntry(Date.now(), isDone ? 'info' : 'warn', 'stopped', { cut_off: isDone ? undefined : true }))
  if (!isDone) host.writeError('serve: streams that outlived shutdown_grace_secs were cut\n')
  return EXIT.good
}

async function serveInWorkerd(
  host: Host,
  flags: Flags,
  { config, text, path, warnings }: Serving & { readonly text: string },
): Promise<number> {
  const log = openServeLog(host, () => config)
  host.onReloadAsked(() =>
    host.writeError('serve: workerd keeps its configuration; change it with PUT /admin/config\n'),
  )
  // From before workerd starts: a signal must never end this process without it.
  const asked = host.untilAsked()
  const server = await host.startWorkerd({
    host: config.host,
    port: config.port,
    configText: text,
    variables: variablesFor(config, text, host),
    writeLine: log.writeJson,
    isDirect: flags.has('direct'),
    plugins: flags.list('plugin').map((module) => host.absolutePath(module)),
    replays: replaysFor(config, host),
  })
  host.writeOut(`listening on ${server.url}\n`)
  log.write(startedEntry(Date.now(), config, { runtime: 'workerd', url: server.url, path, warnings }))
  await asked
  log.write(toEntry(Date.now(), 'info', 'stopping', {}))
  await server.stop()
  log.write(toEntry(Date.now(), 'info', 'stopped', {}))
  return EXIT.good
}

/** Those that are read whatever a configuration says. */
const STANDING_VARIABLES = [...Object.values(LOG_VARIABLES), ...TRACE_VARIABLES, ...METRIC_VARIABLES]

/** The environment variables that a configuration, or a later one, refers to: a Worker sees none but those it is given. */
function variablesFor({ configEnv }: Config, text: string, host: Host): Record<string, string> {
  const written = Array.from(text.matchAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)/g), ([, name]) => name ?? '')
  const variables: Record<string, string> = {}
  for (const name of [...written, ...configEnv, ...STANDING_VARIABLES]) {
    const value = host.env(name)
    if (value !== undefined) variables[name] = value
  }
  return variables
}

/** As in `wrangler dev`, a variable says where the database of a Hyperdrive binding is. */
const HYPERDRIVE_VARIABLE = 'CLOUDFLARE_HYPERDRIVE_LOCAL_CONNECTION_STRING_'

function replaysFor({ routerReplay, decisions }: Config, host: Host): NonNullable<StartWorkerdOptions['replays']> {
  const { store } = routerReplay
  const isEnabled = recordsAny(routerReplay, decisions)
  const binding = isEnabled ? (store.postgres?.hyperdriveBinding ?? null) : null
  const url = binding === null ? undefined : host.env(HYPERDRIVE_VARIABLE + binding)
  return {
    client: isEnabled && (store.backend === 'redis' || store.backend === 'postgres') ? store.backend : null,
    hyperdrives: binding === null || url === undefined ? {} : { [binding]: url },
  }
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
