// ConfigStore on Workers, as an isolate sees it: the root object says which document is current, KV keeps the documents,
// and the one that was deployed needs neither.

import { RouterError } from '../errors/router-error.ts'
import type { ConfigPointer, ConfigStore, ConfigVersion, Publication, PublishResult } from '../store/config-store.ts'

/** A key of KV: where the document of this hash is. It never changes. */
export const documentKey = (hash: string): string => `config:${hash}`

/** A key of KV: a copy of what is current, up to a minute late; for isolates that start while the object can't be asked. */
export const POINTER_KEY = 'config-pointer'

/** What was deployed with the Worker. */
export interface BundledConfig {
  readonly text: string
  readonly hash: string
}

/** The methods of a `Fleet` root object that keep configurations. */
export interface ConfigStub {
  configPointer(): Promise<ConfigPointer | null>
  /** The text of the current document, or of one that KV does not have yet. */
  configText(hash: string): Promise<string | null>
  configVersions(): Promise<readonly ConfigVersion[]>
  /** `bundled` becomes the first version, when there is none yet. */
  publishConfig(publication: Publication, bundled: BundledConfig): Promise<PublishResult>
}

/** What is used of a KV namespace. */
export interface DocumentReader {
  get(key: string): Promise<string | null>
}

export interface CloudflareConfigOptions {
  /** Stubs belong to one request, so each call asks anew. */
  root(): ConfigStub
  /** Null where the Worker has no KV namespace. */
  readonly documents: DocumentReader | null
  readonly bundled: BundledConfig
}

export function createCloudflareConfigStore({ root, documents, bundled }: CloudflareConfigOptions): ConfigStore {
  const started: ConfigPointer = { hash: bundled.hash, sequence: 0, origin: 'bundled' }
  return {
    async current() {
      // Without a place for documents none was ever published.
      if (documents === null) return started
      try {
        return (await root().configPointer()) ?? started
      } catch {
        return readPointer(await documents.get(POINTER_KEY)) ?? started
      }
    },
    latest: async () => ({ text: bundled.text, origin: 'bundled' }),
    async read(hash) {
      if (hash === bundled.hash) return { text: bundled.text, origin: 'bundled' }
      const text = (await documents?.get(documentKey(hash))) ?? (await root().configText(hash))
      return text === null ? null : { text, origin: 'api' }
    },
    async versions() {
      const versions = await root().configVersions()
      return versions.length === 0 ? [{ ...started, by: 'deployment', atMs: 0 }] : versions
    },
    async publish(publication) {
      if (documents === null) {
        throw new RouterError(
          'config_unavailable',
          'This Worker keeps no configurations: bind a KV namespace as CONFIG.',
        )
      }
      const origin = publication.hash === bundled.hash ? 'bundled' : publication.origin
      return root().publishConfig({ ...publication, origin }, bundled)
    },
  }
}

function readPointer(text: string | null): ConfigPointer | null {
  if (text === null) return null
  // Written by the root object, and by nobody else.
  return JSON.parse(text) as ConfigPointer
}
