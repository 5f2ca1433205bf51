// `model_rules`: what one rule can say, and the ModelRule it becomes.
// What shows only beside other rules and the pool (shadowed rules, targets nobody serves) is in model-rule-checks.ts.

import * as z from 'zod'
import type { ModelRule, RuleAction, RuleCondition } from '../routing/model-rules.ts'
import type { Partly } from './check-section.ts'
import { flag, list, text } from './scalars.ts'

/** Request headers that hold a caller's key: a rule on one would put keys into the configuration. */
const CREDENTIAL_HEADERS: readonly string[] = ['authorization', 'cookie', 'x-api-key', 'x-router-key', 'x-admin-key']

/** As long and as plain as the model names that requests may have. */
function modelName() {
  return text()
    .max(256, { error: 'must be at most 256 characters' })
    .regex(/^[^\p{Cc}]*$/u, { error: 'must not hold control characters' })
}

const whenSchema = z
  .strictObject({
    /** Every header listed must have exactly this value. */
    header: z
      .record(z.string(), text(), { error: 'must be a map such as {x-tier: gold}' })
      .superRefine((headers, context) => {
        const seen = new Set<string>()
        for (const name of Object.keys(headers)) {
          const message = headerProblem(name, seen)
          seen.add(name.toLowerCase())
          if (message !== null) context.addIssue({ code: 'custom', path: [name], message })
        }
      })
      .optional(),
    tenant: text().optional(),
  })
  .check(({ value, issues }) => {
    // An unknown key was to be the condition; saying that there is none would be noise.
    if (issues.length > 0 || value.tenant !== undefined || Object.keys(value.header ?? {}).length > 0) return
    issues.push({ code: 'custom', input: value, message: 'names no condition; give it header or tenant, or remove it' })
  })

function headerProblem(name: string, seen: ReadonlySet<string>): string | null {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) return 'stands under what is no header name; write it like x-tier'
  if (seen.has(name.toLowerCase())) return 'names the same header twice; case makes no difference in header names'
  const isCredential = CREDENTIAL_HEADERS.includes(name.toLowerCase())
  return isCredential ? "is compared with the caller's key, which no rule may look at" : null
}

const ACTIONS = ['rewrite', 'fallback', 'weights'] as const

/** One entry of `model_rules`. */
export const modelRuleSchema = z
  .strictObject(
    {
      match: modelName().regex(/^[^*]*\*?$/, {
        error: 'may have a * at its end only, as in "openai/*", or be "*" for every model',
      }),
      rewrite: modelName().optional(),
      fallback: list(modelName(), '[large, small]').min(1, { error: 'lists no model' }).optional(),
      weights: z
        .record(
          z.string(),
          z
            .number({ error: 'must be a number above 0' })
            .positive({ error: 'must be above 0; leave a model out instead' }),
          { error: 'must be a map such as {stable: 95, canary: 5}' },
        )
        .refine((weights) => Object.keys(weights).length > 0, { error: 'lists no model' })
        .refine((weights) => Object.keys(weights).every((model) => modelName().safeParse(model).success), {
          error: 'has a model name that is empty, longer than 256 characters, or holds control characters',
        })
        .optional(),
      when: whenSchema.optional(),
      /** Also try the next model after a failed attempt. */
      on_failure: flag().default(false),
    },
    {
      error: (issue) =>
        issue.code === 'invalid_type' ? 'must be a map such as {match: gpt-4o, rewrite: llama-3.1-70b}' : undefined,
    },
  )
  .check(({ value: rule, issues }) => {
    if (issues.length > 0) return
    const [first, second] = ACTIONS.filter((action) => rule[action] !== undefined)
    const complain = (message: string, path: string[]) =>
      void issues.push({ code: 'custom', path, message, input: rule })
    if (first === undefined) complain('has no action, so it would do nothing; give it rewrite, fallback or weights', [])
    if (second !== undefined) complain(`is a second action beside ${first}; keep one of the two`, [second])
    if (rule.on_failure && first === 'rewrite') {
      complain('needs a next model to try, which rewrite does not have; use fallback', ['on_failure'])
    }
  })

/** A checked rule as the rest of the router sees it. */
export function toModelRule(rule: z.output<typeof modelRuleSchema>): ModelRule {
  const { match, when, on_failure: triesNextOnFailure } = rule
  return { match, action: actionOf(rule), when: toCondition(when), triesNextOnFailure }
}

type When = Partly<z.output<typeof whenSchema>>

/** A rule's `when` as the rest of the router sees it. */
export function toCondition(when: When | undefined): RuleCondition | null {
  if (when === undefined) return null
  const headers = Object.entries(when.header ?? {}).flatMap(([name, value]) => {
    return value === undefined ? [] : [[name.toLowerCase(), value] as const]
  })
  return { headers: Object.fromEntries(headers), tenant: when.tenant ?? null }
}

function actionOf({ rewrite, fallback, weights }: z.output<typeof modelRuleSchema>): RuleAction {
  if (rewrite !== undefined) return { kind: 'rewrite', model: rewrite }
  if (fallback !== undefined) return { kind: 'fallback', models: [...new Set(fallback)] }
  return { kind: 'weights', shares: Object.entries(weights ?? {}).map(([model, weight]) => ({ model, weight })) }
}
