// Changes to the workers of a configuration document that leave everything else in it as it stands, comments included.

import { type Document, isAlias, isSeq, type Node, parseDocument, type YAMLSeq } from 'yaml'
import type { Path } from '../config/finding.ts'

/** The document with one more entry of `workers`. The text must be one that loads. */
export function withWorker(text: string, entry: Readonly<Record<string, unknown>>): string {
  const document = parse(text)
  const workers = sequenceAt(document, ['workers'])
  const node = document.createNode(entry)
  if (workers === null) document.set('workers', document.createNode([node]))
  else workers.add(node)
  return print(document)
}

/**
 * The document without these entries of its pool (places in its lists), and without the keys of `worker_api_keys` whose
 * names nobody else has.
 */
export function withoutEntries(text: string, places: readonly Path[], isOrphaned: (name: string) => boolean): string {
  const document = parse(text)
  // From the back: entries behind a removed one move up.
  for (const path of [...places].sort((a, b) => Number(b.at(-1)) - Number(a.at(-1)))) {
    sequenceAt(document, path.slice(0, -1))?.delete(Number(path.at(-1)))
  }
  const keys: unknown = document.toJS()?.worker_api_keys
  for (const name of Object.keys(typeof keys === 'object' && keys !== null ? keys : {})) {
    if (isOrphaned(name)) document.deleteIn(['worker_api_keys', name])
  }
  return print(document)
}

function parse(text: string): Document.Parsed {
  // As the loader reads it: read otherwise, the text could mean something else once it is written again.
  return parseDocument(text, { schema: 'core', merge: false, resolveKnownTags: false })
}

/** Long values stay on their line, and `[a]` stays as it is. */
function print(document: Document.Parsed): string {
  return document.toString({ lineWidth: 0, flowCollectionPadding: false })
}

/** The list at a path, through aliases; null where there is none. */
function sequenceAt(document: Document.Parsed, path: Path): YAMLSeq | null {
  const node = document.getIn(path, true) as Node | undefined
  const target = isAlias(node) ? node.resolve(document) : node
  return isSeq(target) ? target : null
}
