// Finds the policies in a module that somebody else wrote.

import type { PolicyDefinition } from './policy.ts'

/** Every policy a module exports: by default, by name, or in an array. */
export function definitionsOf(module: Readonly<Record<string, unknown>>): readonly PolicyDefinition[] {
  return [...new Set(Object.values(module).flat())].filter(isDefinition)
}

function isDefinition(value: unknown): value is PolicyDefinition {
  return (
    typeof value === 'object' &&
    value !== null &&
    'name' in value &&
    typeof value.name === 'string' &&
    'options' in value &&
    'create' in value &&
    typeof value.create === 'function'
  )
}
