// The contract for configuration documents: which is current, what earlier ones said, and how one takes another's place.
// Implementations: config-memory.ts, config-file.ts, runtime/cloudflare-config-store.ts.

/** Where a document came from. `bundled` is the one that was deployed with the router. */
export type ConfigOrigin = 'file' | 'bundled' | 'api'

/** What is current. The sequence rises by one with every change, also when an earlier document comes back. */
export interface ConfigPointer {
  /** `Config.hash` of the document. */
  readonly hash: string
  readonly sequence: number
  readonly origin: ConfigOrigin
}

/** One change, as operators look back on it. */
export interface ConfigVersion extends ConfigPointer {
  readonly atMs: number
  /** Label of the admin key that made it, or a word for what else did. */
  readonly by: string
}

export interface ConfigDocument {
  readonly text: string
  readonly origin: ConfigOrigin
}

export interface Publication extends ConfigDocument {
  readonly hash: string
  /** The sequence this was made from; with another one current, somebody else was faster. */
  readonly expectedSequence: number
  readonly by: string
}

export type PublishResult =
  | { readonly ok: true; readonly pointer: ConfigPointer }
  /** Another change came first. */
  | { readonly ok: false; readonly conflict: 'sequence' }
  /** The file has been edited since it was loaded; publishing would undo that unseen. */
  | { readonly ok: false; readonly conflict: 'edited' }

/** Versions that are kept, the current one included. */
export const KEPT_VERSIONS = 50

/** Every call may reject: files and objects can be out of reach. */
export interface ConfigStore {
  current(): Promise<ConfigPointer>
  /** What a reload loads: the file as it is now, or what was deployed. */
  latest(): Promise<ConfigDocument>
  /** A kept document; null when there is none of this hash. */
  read(hash: string): Promise<ConfigDocument | null>
  publish(publication: Publication): Promise<PublishResult>
  /** Newest first. */
  versions(): Promise<readonly ConfigVersion[]>
}
