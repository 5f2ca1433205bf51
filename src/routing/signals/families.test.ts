// What each family says of made-up requests.

import { describe, expect, test } from 'vitest'
import { messageView, requestView } from '../../../test/support/request-view.ts'
import { authzSignal } from './authz.ts'
import { contextSignal } from './context.ts'
import { conversationSignal, type ConversationRule } from './conversation.ts'
import { createLanguageDetector, languageSignal } from './language.ts'
import { compileRegex } from './linear-regex.ts'
import { metadataSignal, type MetadataRule } from './metadata.ts'
import { naturalExponent } from './natural-exponent.ts'
import { structureSignal, type StructureRule } from './structure.ts'

const NO_BOUNDS = { gt: null, gte: null, lt: null, lte: null }

describe('context', () => {
  test.each<[number, number | null, number, boolean]>([
    [16_000, 1_000_000, 64_000, true],
    [16_000, 1_000_000, 63_996, false],
    [0, 16_000, 64_000, true],
    [0, 16_000, 64_001, false],
    [0, null, 10_000_000, true],
  ])('from %s to %s tokens, %s bytes: %s', (minTokens, maxTokens, textBytes, expected) => {
    const outcome = contextSignal({ name: 'c', minTokens, maxTokens }).read(requestView({ textBytes }))
    expect(outcome.kind === 'matched').toBe(expected)
  })
})

describe('conversation', () => {
  const messages = [
    messageView({ role: 'system', text: 'be brief' }),
    messageView({ text: 'how warm is it?', images: 1 }),
    messageView({ role: 'assistant', toolCalls: 2 }),
    messageView({ role: 'tool', toolResults: 1 }),
  ]
  const read = (rule: Partial<ConversationRule>) =>
    conversationSignal({ name: 'c', type: 'count', source: 'message', role: null, bounds: NO_BOUNDS, ...rule }).read(
      requestView({ messages, toolDefinitions: 3 }),
    ).kind === 'matched'

  test.each<[string, Partial<ConversationRule>, boolean]>([
    ['four messages', { bounds: { ...NO_BOUNDS, gte: 4 } }, true],
    ['more than four', { bounds: { ...NO_BOUNDS, gt: 4 } }, false],
    ['one of the user', { role: 'user', bounds: { ...NO_BOUNDS, lte: 1 } }, true],
    ['three of others', { role: 'non_user', bounds: { ...NO_BOUNDS, gte: 3, lt: 4 } }, true],
    ['tools', { type: 'exists', source: 'tool_definition' }, true],
    ['calls', { source: 'assistant_tool_call', bounds: { ...NO_BOUNDS, gte: 2 } }, true],
    ['results', { source: 'assistant_tool_cycle', bounds: { ...NO_BOUNDS, gte: 2 } }, false],
    ['images', { type: 'exists', source: 'image_content' }, true],
    ['a loop of tools', { type: 'exists', source: 'active_tool_loop' }, true],
    ['a developer', { type: 'exists', role: 'developer' }, false],
  ])('%s', (_what, rule, expected) => {
    expect(read(rule)).toBe(expected)
  })

  test('a loop is over once the user speaks again and all is answered', () => {
    const rule = { name: 'c', type: 'exists', source: 'active_tool_loop', role: null, bounds: NO_BOUNDS } as const
    const over = [
      messageView({ role: 'assistant', toolCalls: 1 }),
      messageView({ role: 'tool', toolResults: 1 }),
      messageView({ role: 'assistant', text: 'warm' }),
      messageView({ text: 'thanks' }),
    ]
    expect(conversationSignal(rule).read(requestView({ messages: over })).kind).toBe('not_matched')
    expect(conversationSignal(rule).read(requestView({ messages: over.slice(0, 2) })).kind).toBe('matched')
  })
})

describe('structure', () => {
  const read = (rule: Omit<StructureRule, 'name'>, text: string) =>
    structureSignal({ name: 's', ...rule }, compileRegex).read(requestView({ text }))
  const pattern = { type: 'regex', pattern: '\\?', isCaseSensitive: false } as const
  const set = (...keywords: string[]) => ({ type: 'keyword_set', keywords, isCaseSensitive: false }) as const

  test('counts and compares', () => {
    const rule = { type: 'count', source: pattern, bounds: { ...NO_BOUNDS, gte: 3 } } as const
    expect(read(rule, 'why? who? when?')).toMatchObject({ kind: 'matched', confidence: 0.5 })
    expect(read(rule, 'why? who?').kind).toBe('not_matched')
    const far = read(rule, '?'.repeat(10))
    expect(far.kind === 'matched' && far.confidence > 0.99).toBe(true)
  })

  test('counts words, not parts of them', () => {
    const rule = { type: 'count', source: set('todo', '修正'), bounds: { ...NO_BOUNDS, gt: 1 } } as const
    expect(read(rule, 'TODO: method; mastodon').kind).toBe('not_matched')
    expect(read(rule, 'TODO 请修正').kind).toBe('matched')
  })

  test('density is per word, and per character where there are no spaces', () => {
    const rule = { type: 'density', source: set('if', '如果'), bounds: { ...NO_BOUNDS, gte: 0.25 } } as const
    expect(read(rule, 'if a b c').kind).toBe('matched')
    expect(read(rule, 'if a b c d').kind).toBe('not_matched')
    expect(read(rule, '如果下雨').kind).toBe('matched')
  })

  test('an order of markers', () => {
    const source = {
      type: 'sequence',
      sequences: [
        ['first', 'then'],
        ['先', '然后'],
      ],
      isCaseSensitive: false,
    } as const
    expect(read({ type: 'sequence', source, bounds: null }, 'First this, then that').kind).toBe('matched')
    expect(read({ type: 'sequence', source, bounds: null }, 'then that, first this').kind).toBe('not_matched')
    expect(read({ type: 'sequence', source, bounds: null }, '先吃饭,然后睡觉').kind).toBe('matched')
  })

  test('bytes', () => {
    const rule = { type: 'count', source: { type: 'text_bytes' }, bounds: { ...NO_BOUNDS, gt: 5 } } as const
    expect(read(rule, '漢字').kind).toBe('matched')
    expect(read(rule, 'ascii').kind).toBe('not_matched')
  })
})

describe('language', () => {
  const detectLanguage = createLanguageDetector()

  test.each([
    ['How do I reset my password in the settings?', 'en'],
    ['Wie kann ich mein Passwort in den Einstellungen ändern?', 'de'],
    ['Comment est-ce que je peux changer mon mot de passe dans les paramètres ?', 'fr'],
    ['¿Cómo puedo cambiar la contraseña de mi cuenta en los ajustes?', 'es'],
    ['Come posso cambiare la password del mio account nelle impostazioni? Perché non è possibile?', 'it'],
    ['Como é que eu posso mudar a minha senha? Você pode me ajudar com isso?', 'pt'],
    ['Hoe kan ik het wachtwoord van mijn account wijzigen in de instellingen?', 'nl'],
    ['Как я могу изменить пароль в настройках, если я его не помню?', 'ru'],
    ['Чи можу я змінити пароль, якщо я його не пам’ятаю?', 'uk'],
    ['如何在设置中更改密码?', 'zh'],
    ['設定でパスワードを変更するにはどうすればいいですか?', 'ja'],
    ['설정에서 비밀번호를 어떻게 변경하나요?', 'ko'],
    ['كيف يمكن تغيير كلمة المرور في الإعدادات؟', 'ar'],
    ['ฉันจะเปลี่ยนรหัสผ่านในการตั้งค่าได้อย่างไร', 'th'],
    ['मैं सेटिंग में पासवर्ड कैसे बदलूं?', 'hi'],
    ['איך אני משנה את הסיסמה בהגדרות?', 'he'],
    ['Πώς μπορώ να αλλάξω τον κωδικό;', 'el'],
  ])('%s', (text, code) => {
    expect(detectLanguage(text)?.code).toBe(code)
  })

  test.each(['', '12345', '{}', 'xyzzy'])('nothing tells of %j', (text) => {
    expect(detectLanguage(text)).toBeNull()
    expect(languageSignal({ name: 'en', threshold: 0.5 }, detectLanguage).read(requestView({ text })).kind).toBe(
      'not_matched',
    )
  })
})

describe('authz', () => {
  const signal = authzSignal('premium', [
    { name: 'teams', role: 'premium', subjects: [{ kind: 'Tenant', name: 'search' }] },
    {
      name: 'people',
      role: 'premium',
      subjects: [
        { kind: 'User', name: 'ann' },
        { kind: 'Group', name: 'gold' },
      ],
    },
  ])

  test.each([
    ['the tenant', { tenant: { name: 'search', metadata: {} } }, true],
    ['another', { tenant: { name: 'ads', metadata: {} } }, false],
    ['the user', { headers: { 'x-authz-user-id': 'ann' } }, true],
    ['a group among others', { headers: { 'x-authz-user-groups': 'a, gold ,b' } }, true],
    ['half of its name', { headers: { 'x-authz-user-groups': 'golden' } }, false],
    ['nobody', {}, false],
  ])('%s', (_what, view, expected) => {
    expect(signal.read(requestView(view)).kind === 'matched').toBe(expected)
  })
})

describe('metadata', () => {
  const read = (rule: Partial<MetadataRule>) =>
    metadataSignal({
      name: 'm',
      source: 'body',
      key: 'tier',
      predicate: { kind: 'exists', isWanted: true },
      ...rule,
    }).read(
      requestView({
        metadata: { tier: 'gold' },
        headers: { 'x-team': 'search' },
        tenant: { name: 't', metadata: { tier: 'silver' } },
      }),
    ).kind === 'matched'

  test.each<[string, Partial<MetadataRule>, boolean]>([
    ['it is there', {}, true],
    ['it is not to be there', { predicate: { kind: 'exists', isWanted: false } }, false],
    ['what it is', { predicate: { kind: 'equals', value: 'gold' } }, true],
    ['one of several', { predicate: { kind: 'in', values: ['silver', 'bronze'] } }, false],
    ['of the tenant', { source: 'tenant', predicate: { kind: 'equals', value: 'silver' } }, true],
    ['of a header', { source: 'header', key: 'x-team', predicate: { kind: 'equals', value: 'search' } }, true],
    ['what nobody gave', { key: 'toString', predicate: { kind: 'exists', isWanted: true } }, false],
  ])('%s', (_what, rule, expected) => {
    expect(read(rule)).toBe(expected)
  })
})

test.each([-20, -4, -0.5, 0, 0.1, 1, 30])('e to the power of %f', (x) => {
  expect(naturalExponent(x) / Math.exp(x)).toBeCloseTo(1, 13)
})
