// `signals`: what rules of decisions can ask about a request, one list for each family; and the rules they become.

import * as z from 'zod'
import { CONVERSATION_SOURCES, MESSAGE_ROLES } from '../routing/signals/conversation.ts'
import type { EdgeRules } from '../routing/signals/edge-signals.ts'
import { LANGUAGES } from '../routing/signals/language.ts'
import { USUAL_ARITY, USUAL_SIMILARITY } from '../routing/signals/ngrams.ts'
import type { Bounds } from '../routing/signals/predicate.ts'
import type { SignalFamily } from '../routing/signals/signal.ts'
import type { StructureSource } from '../routing/signals/structure.ts'
import type { SignalRules } from './decision-config.ts'
import { isHeaderName } from './http-values.ts'
import { flag, list, text, wholeNumber } from './scalars.ts'
import { serverSignalShape } from './server-signal-schema.ts'
import { signalName } from './signal-name.ts'

/** The family of each list, as conditions name it. */
export const SIGNAL_SECTIONS = {
  keywords: 'keyword',
  context: 'context',
  structure: 'structure',
  conversation: 'conversation',
  language: 'language',
  authz: 'authz',
  metadata: 'metadata',
  embeddings: 'embedding',
  domains: 'domain',
  fact_check: 'fact_check',
  user_feedbacks: 'user_feedback',
  preferences: 'preference',
} as const satisfies Record<string, SignalFamily>

const MAX_KEYWORDS = 1_000
const SHARE = 'must be a number above 0 and at most 1'
const phrase = () => text().max(256, { error: 'must be at most 256 characters' })
const named = { name: signalName(), description: text().optional() }

const keywordRule = z.strictObject({
  ...named,
  operator: z.enum(['AND', 'OR', 'NOR']).default('OR'),
  keywords: list(text().max(1_000, { error: 'must be at most 1000 characters' }), '[urgent, "sev 1"]')
    .min(1, { error: 'lists no keyword' })
    .max(MAX_KEYWORDS, { error: `lists more than ${MAX_KEYWORDS} keywords; split the rule` }),
  case_sensitive: flag().default(false),
  /** Words and phrases as they stand, unless it says otherwise. */
  method: z
    .enum(['words', 'regex', 'bm25', 'ngram'], {
      error: ({ input }) =>
        input === 'fuzzy' ? 'fuzzy is no method; write fuzzy_match: true' : 'must be one of words, regex, bm25, ngram',
    })
    .default('words'),
  fuzzy_match: flag().default(false),
  fuzzy_threshold: wholeNumber(0, 8).optional(),
  bm25_threshold: z
    .number({ error: 'must be a number of 0 or more' })
    .min(0, { error: 'must be a number of 0 or more' })
    .optional(),
  ngram_threshold: z.number({ error: SHARE }).gt(0, { error: SHARE }).max(1, { error: SHARE }).optional(),
  ngram_arity: wholeNumber(2, 5).optional(),
})

const TOKENS = 'must be a number of tokens such as 800, 16K or 1M'

/** A number of tokens; K is a thousand, M a million. */
const tokens = () =>
  z.union([z.number(), z.string()], { error: TOKENS }).transform((value, context): number => {
    const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)([KM]?)$/i.exec(String(value)) ?? []
    const factor = unit === '' ? 1 : unit.toUpperCase() === 'K' ? 1_000 : 1_000_000
    const count = Number(amount ?? Number.NaN) * factor
    if (Number.isSafeInteger(Math.round(count)) && count >= 0) return Math.round(count)
    context.issues.push({ code: 'custom', message: TOKENS, input: value })
    return z.NEVER
  })

const contextRule = z.strictObject({
  ...named,
  min_tokens: tokens().default(0),
  /** No end without it. */
  max_tokens: tokens().optional(),
})

const bound = () => z.number({ error: 'must be a number' }).optional()
const predicate = z
  .strictObject({ gt: bound(), gte: bound(), lt: bound(), lte: bound() })
  .refine((value) => Object.keys(value).length > 0, { error: 'has no bound; write one of gt, gte, lt, lte' })

const structureRule = z.strictObject({
  ...named,
  feature: z
    .strictObject({
      type: z.enum(['exists', 'count', 'density', 'sequence']),
      source: z.strictObject({
        type: z.enum(['regex', 'keyword_set', 'sequence', 'text_bytes']),
        pattern: text().optional(),
        keywords: list(phrase(), '[TODO, FIXME]').min(1, { error: 'lists no keyword' }).optional(),
        sequences: list(
          list(phrase(), '[first, then]').min(1, { error: 'lists no marker' }),
          '[[first, then]]',
        ).optional(),
        case_sensitive: flag().default(false),
      }),
    })
    .check(({ value: { source }, issues }) => {
      const field = SOURCE_FIELDS[source.type]
      if (field === null || source[field] !== undefined || issues.length > 0) return
      issues.push({
        code: 'custom',
        path: ['source'],
        message: `needs ${field} beside type: ${source.type}`,
        input: source,
      })
    }),
  predicate: predicate.optional(),
})

const SOURCE_FIELDS = { regex: 'pattern', keyword_set: 'keywords', sequence: 'sequences', text_bytes: null } as const

const conversationRule = z
  .strictObject({
    ...named,
    feature: z.strictObject({
      type: z.enum(['count', 'exists']),
      source: z.strictObject({
        type: z.enum(CONVERSATION_SOURCES),
        role: z.enum(MESSAGE_ROLES).optional(),
      }),
    }),
    predicate: predicate.optional(),
  })
  .check(({ value: rule, issues }) => {
    if (issues.length > 0 || rule.feature.type === 'exists' || rule.predicate !== undefined) return
    const message = 'counts and compares with nothing, so it would always match; add predicate: {gte: 3}'
    issues.push({ code: 'custom', path: ['feature', 'type'], message, input: rule })
  })

const languageRule = z.strictObject({
  name: z.enum(LANGUAGES, { error: `must be the code of a language it can tell: ${LANGUAGES.join(', ')}` }),
  description: text().optional(),
  threshold: z.number().min(0).max(1).default(0.6),
})

const authzRule = z.strictObject({
  ...named,
  role: signalName(),
  subjects: list(
    z.strictObject({ kind: z.enum(['Tenant', 'User', 'Group']), name: text() }),
    '[{kind: Tenant, name: search-team}]',
  ).min(1, { error: 'lists nobody' }),
})

const metadataRule = z
  .strictObject({
    ...named,
    /** Where the key is looked for: `body` is the request's `metadata`. */
    source: z.enum(['body', 'header', 'tenant']).default('body'),
    key: text().max(128, { error: 'must be at most 128 characters' }),
    predicate: z
      .strictObject({
        equals: z.string({ error: 'must be text; put quotes around numbers' }).optional(),
        in: list(z.string(), '[gold, silver]').min(1, { error: 'lists no value' }).optional(),
        exists: flag().optional(),
      })
      .refine((value) => Object.keys(value).length === 1, { error: 'must have exactly one of equals, in, exists' }),
  })
  .check(({ value: { source, key }, issues }) => {
    if (source !== 'header') return
    const name = key.toLowerCase()
    const message = !isHeaderName(name)
      ? 'is no header name; write it like x-team'
      : CREDENTIALS.includes(name)
        ? "is the caller's key, which no rule may look at"
        : null
    if (message !== null) issues.push({ code: 'custom', path: ['key'], message, input: key })
  })

const CREDENTIALS: readonly string[] = ['authorization', 'cookie', 'x-api-key', 'x-router-key', 'x-admin-key']

/** The families, and no others. */
export const signalsSchema = z.strictObject({
  keywords: list(keywordRule, '[{name: urgent, operator: OR, keywords: [outage]}]').default([]),
  context: list(contextRule, '[{name: long, min_tokens: 16K}]').default([]),
  structure: list(structureRule, '[{name: questions, feature: {...}}]').default([]),
  conversation: list(conversationRule, '[{name: has_tools, feature: {...}}]').default([]),
  language: list(languageRule, '[{name: de}]').default([]),
  authz: list(authzRule, '[{name: research, role: premium, subjects: [...]}]').default([]),
  metadata: list(metadataRule, '[{name: gold, key: tier, predicate: {equals: gold}}]').default([]),
  ...serverSignalShape,
})

export type SignalsSection = z.output<typeof signalsSchema>

export function toSignalRules(section: SignalsSection): SignalRules {
  return { ...toEdgeRules(section), server: toServerRules(section) }
}

function toServerRules(section: SignalsSection): SignalRules['server'] {
  return z.object(serverSignalShape).parse(section)
}

function toEdgeRules(section: SignalsSection): EdgeRules {
  return {
    keywords: section.keywords.map((rule) => ({
      name: rule.name,
      operator: rule.operator,
      keywords: rule.keywords,
      isCaseSensitive: rule.case_sensitive,
      method: rule.method,
      fuzzy: rule.fuzzy_match ? { distance: rule.fuzzy_threshold ?? null } : null,
      bm25Threshold: rule.bm25_threshold ?? null,
      ...(rule.method === 'ngram' ? { ngrams: toNgrams(rule) } : {}),
    })),
    context: section.context.map(({ name, min_tokens: minTokens, max_tokens: maxTokens }) => {
      return { name, minTokens, maxTokens: maxTokens ?? null }
    }),
    structure: section.structure.map(({ name, feature, predicate: bounds }) => {
      return { name, type: feature.type, source: toSource(feature.source), bounds: bounds ? toBounds(bounds) : null }
    }),
    conversation: section.conversation.map(({ name, feature: { type, source }, predicate: bounds }) => {
      return { name, type, source: source.type, role: source.role ?? null, bounds: toBounds(bounds ?? {}) }
    }),
    language: section.language.map(({ name, threshold }) => ({ name, threshold })),
    authz: section.authz.map(({ name, role, subjects }) => ({ name, role, subjects })),
    metadata: section.metadata.map(({ name, source, key, predicate: wanted }) => {
      return { name, source, key: source === 'header' ? key.toLowerCase() : key, predicate: toPredicate(wanted) }
    }),
  }
}

function toNgrams({ ngram_threshold: threshold, ngram_arity: arity }: SignalsSection['keywords'][number]) {
  return { threshold: threshold ?? USUAL_SIMILARITY, arity: arity ?? USUAL_ARITY }
}

function toSource(source: SignalsSection['structure'][number]['feature']['source']): StructureSource {
  const { type, pattern = '', keywords = [], sequences = [], case_sensitive: isCaseSensitive } = source
  switch (type) {
    case 'regex':
      return { type, pattern, isCaseSensitive }
    case 'keyword_set':
      return { type, keywords, isCaseSensitive }
    case 'sequence':
      return { type, sequences, isCaseSensitive }
    case 'text_bytes':
      return { type }
  }
}

function toBounds({ gt, gte, lt, lte }: { [Key in keyof Bounds]?: number | undefined }): Bounds {
  return { gt: gt ?? null, gte: gte ?? null, lt: lt ?? null, lte: lte ?? null }
}

function toPredicate(wanted: SignalsSection['metadata'][number]['predicate']) {
  if (wanted.equals !== undefined) return { kind: 'equals', value: wanted.equals } as const
  if (wanted.in !== undefined) return { kind: 'in', values: wanted.in } as const
  return { kind: 'exists', isWanted: wanted.exists ?? true } as const
}
