// Where a session's key came from, in words.

import { named } from './words.ts'

/** `header:x-session-id` as words. */
export function sourceOf(source: string): string {
  const [kind = '', ...rest] = source.split(':')
  const name = rest.join(':')
  if (kind === 'header') return `the header ${named(name)}`
  if (kind === 'body') return `the field ${named(name)} of the body`
  return kind === 'prompt' ? 'the beginning of the prompt' : named(source)
}
