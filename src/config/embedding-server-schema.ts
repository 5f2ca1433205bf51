// Where vectors of texts come from: the fields of every section that wants them, under the Rust router's names, and what
// they become.

import { toSecret } from '../secret.ts'
import * as z from 'zod'
import type { Partly } from './check-section.ts'
import type { EmbeddingServerConfig } from './config.ts'
import type { CrossCheckInput } from './cross-checks.ts'
import { errorAt, type Path, type Problem } from './finding.ts'
import { text, wholeNumber } from './scalars.ts'
import { secretString } from './schema-walk.ts'
import { unknownBinding } from './unknown-binding.ts'
import { hookUrl } from './worker-url.ts'

/** Longest wait of a request for a vector. */
const LONGEST_EMBEDDING_MS = 60_000

const DEFAULT_MODEL = 'default'

export const embeddingServerShape = {
  /** Base URL; `/v1/embeddings` follows it. */
  embeddings_url: hookUrl('embeddings_api_key').optional(),
  /** Bearer key sent to the server. */
  embeddings_api_key: secretString().nullable().default(null),
  embeddings_model: text().default(DEFAULT_MODEL),
  /** A binding that runs models, such as Workers AI, in the place of a URL. */
  embeddings_binding: text().meta({ reaches: 'binding' }).optional(),
  /** How long a request waits for its vector. */
  embedding_timeout_ms: wholeNumber(1, LONGEST_EMBEDDING_MS).default(500),
}

const serverSchema = z.object(embeddingServerShape)

export type EmbeddingServerSection = z.output<typeof serverSchema>

export function toEmbeddingServer(section: EmbeddingServerSection): EmbeddingServerConfig {
  return {
    url: section.embeddings_url ?? null,
    binding: section.embeddings_binding ?? null,
    model: section.embeddings_model,
    apiKey: toSecret(section.embeddings_api_key),
  }
}

/** As in the Rust router: a section without a server of its own takes that of another, with its key, and its model. */
export function withServerOf<Section extends EmbeddingServerSection>(
  section: Section,
  other: EmbeddingServerSection | undefined,
): Section {
  if (other === undefined || hasServer(section)) return section
  const { embeddings_url, embeddings_binding, embeddings_api_key: key, embeddings_model: model } = other
  return {
    ...section,
    embeddings_url,
    embeddings_binding,
    embeddings_api_key: section.embeddings_api_key ?? key,
    embeddings_model: section.embeddings_model === DEFAULT_MODEL ? model : section.embeddings_model,
  }
}

/** What was refused is there as undefined; it has its own problem. */
export function hasServer(section: Partly<EmbeddingServerSection>): boolean {
  return 'embeddings_url' in section || 'embeddings_binding' in section
}

/** Checks that there is one server, and that it can be had. */
export function checkEmbeddingServer(
  section: Partly<EmbeddingServerSection>,
  path: Path,
  { bindings }: Pick<CrossCheckInput, 'bindings'>,
): Problem[] {
  const { embeddings_binding: binding } = section
  const hasUrl = 'embeddings_url' in section
  const hasBinding = 'embeddings_binding' in section
  if (!hasUrl && !hasBinding) {
    return [errorAt(path, 'has no embeddings server; add embeddings_url, such as http://10.0.0.9:8000')]
  }
  // Of a section with something else wrong every key is there.
  if (section.embeddings_url !== undefined && binding !== undefined) {
    return [errorAt([...path, 'embeddings_binding'], 'is a second server beside embeddings_url; keep one of the two')]
  }
  return unknownBinding([...path, 'embeddings_binding'], binding ?? null, bindings)
}
