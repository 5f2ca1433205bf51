// Secrets are equal by what they hold, and a text in an expectation stands for the secret that holds it. Without this any
// two of them would be: they show nothing.

import { expect } from 'vitest'
import { Secret } from '../../src/secret.ts'

expect.addEqualityTesters([
  function areSameSecrets(one: unknown, other: unknown) {
    if (!(one instanceof Secret) && !(other instanceof Secret)) return undefined
    return textOf(one) === textOf(other)
  },
])

function textOf(value: unknown): unknown {
  return value instanceof Secret ? value.reveal() : value
}
