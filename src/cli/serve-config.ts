// The configuration file of `serve`: how it is loaded, at the start and later, and where what it said before is kept.

import { formatFindings } from '../config/print.ts'
import { loadConfig } from '../config/load.ts'
import type { ConfigSource } from '../control/config-source.ts'
import { RouterError } from '../errors/router-error.ts'
import type { RunningServer } from '../server.ts'
import { openFileConfigStore } from '../store/config-file.ts'
import type { Host, RuntimeName } from './host.ts'
import { loadPolicies } from './plugins.ts'

export interface LoaderOptions {
  readonly path: string
  readonly runtime: RuntimeName
  /** Modules with policies. */
  readonly plugins: readonly string[]
}

/** Rejects when a module of policies can't be loaded. */
export async function loaderFor(host: Host, { path, runtime, plugins }: LoaderOptions): Promise<ConfigSource['load']> {
  const policies = await loadPolicies(host, plugins)
  return (text, besides) =>
    loadConfig(text, {
      env: (name) => host.env(name),
      policies,
      source: path,
      showsConnectPhase: runtime === 'node',
      ...(besides === null ? {} : { besides }),
      // Only Workers have bindings; there their names are known to the deployment, not here.
      ...(runtime === 'workerd' ? { hasSockets: false } : { bindings: [], replayPlatform: host.replayPlatform }),
    })
}

export interface LoadedFile {
  readonly path: string
  readonly text: string
  readonly hash: string
  readonly load: ConfigSource['load']
}

/** The file is the truth about the configuration for as long as the process runs. */
export async function openSource(host: Host, { path, text, hash, load }: LoadedFile): Promise<ConfigSource> {
  const store = await openFileConfigStore({
    files: host.files,
    path: host.absolutePath(path),
    text,
    hash,
    now: () => Date.now(),
    onNotKept(cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      host.writeError(`serve: earlier configurations are not kept: ${why}\n`)
    },
  })
  return { store, start: await store.current(), load }
}

/** Loads the file anew, as a signal asks; says what is wrong with it, and then everything stays as it was. */
export async function reload(host: Host, router: RunningServer['router'], path: string): Promise<void> {
  try {
    await router.reload('SIGHUP')
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    host.writeError(`serve: the configuration is not reloaded: ${why}\n`)
    const findings = error instanceof RouterError ? error.details['findings'] : undefined
    // A configuration that is refused always says why.
    if (Array.isArray(findings)) host.writeError(formatFindings(findings, path))
  }
}
