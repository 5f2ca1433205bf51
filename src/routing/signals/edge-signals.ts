// The rules of a configuration that a request alone answers, made ready: expressions compiled, words folded.

import { authzSignal, type AuthzRule } from './authz.ts'
import { contextSignal, type ContextRule } from './context.ts'
import { conversationSignal, type ConversationRule } from './conversation.ts'
import { keywordSignal, type KeywordRule } from './keyword.ts'
import {
  createLanguageDetector,
  type DetectedLanguage,
  type DetectLanguage,
  languageSignal,
  type LanguageRule,
} from './language.ts'
import { compileRegex } from './linear-regex.ts'
import { metadataSignal, type MetadataRule } from './metadata.ts'
import type { EdgeSignal } from './signal.ts'
import { structureSignal, type StructureRule } from './structure.ts'

export interface EdgeRules {
  readonly keywords: readonly KeywordRule[]
  readonly context: readonly ContextRule[]
  readonly structure: readonly StructureRule[]
  readonly conversation: readonly ConversationRule[]
  readonly language: readonly LanguageRule[]
  readonly authz: readonly AuthzRule[]
  readonly metadata: readonly MetadataRule[]
}

/** Throws only for what the checks of a configuration refuse. */
export function createEdgeSignals(rules: EdgeRules): readonly EdgeSignal[] {
  const detect = rememberLast(createLanguageDetector())
  const roles = new Set(rules.authz.map(({ role }) => role))
  return [
    ...rules.keywords.map((rule) => keywordSignal(rule, (pattern) => compileRegex(pattern, rule.isCaseSensitive))),
    ...rules.context.map(contextSignal),
    ...rules.structure.map((rule) => structureSignal(rule, compileRegex)),
    ...rules.conversation.map(conversationSignal),
    ...rules.language.map((rule) => languageSignal(rule, detect)),
    ...[...roles].map((role) =>
      authzSignal(
        role,
        rules.authz.filter((binding) => binding.role === role),
      ),
    ),
    ...rules.metadata.map(metadataSignal),
  ]
}

function rememberLast(detect: DetectLanguage): DetectLanguage {
  let last: { readonly text: string; readonly found: DetectedLanguage | null } | null = null
  return (text) => {
    if (last?.text !== text) last = { text, found: detect(text) }
    return last.found
  }
}
