// Streams of /v1/responses: their last event holds the whole response. Of one that was cut, the text that had come.

import { type Assembly, TextFields } from '../assembly.ts'
import { fieldOf } from '../json-peek.ts'

/** Text as it comes: of messages, of reasoning, of calls. Sound and pictures are no text. */
const TEXT_DELTA = /^response\.([a-z_]{0,48}(?:text|arguments|refusal|input|code))\.delta$/

const LAST_EVENTS: readonly unknown[] = ['response.completed', 'response.incomplete', 'response.failed']

export function responsesAssembly(): Assembly {
  const texts = new TextFields()
  let whole: object | null = null
  let begun: object | null = null
  let error: unknown
  return {
    add(event, budget) {
      const type = fieldOf(event, 'type')
      const response = fieldOf(event, 'response')
      if (LAST_EVENTS.includes(type) && typeof response === 'object') whole = response
      else if (type === 'response.created' && typeof response === 'object')
        begun = budget.holds(response) ? response : {}
      else if (type === 'error') error = budget.holds(event) ? event : {}
      else if (typeof type === 'string') {
        const [, field] = TEXT_DELTA.exec(type) ?? []
        if (field !== undefined) texts.append(field, fieldOf(event, 'delta'), budget)
      }
    },
    result() {
      if (whole !== null) return whole
      if (begun === null && error === undefined) return null
      return { ...begun, ...texts.toObject(), ...(error === undefined ? {} : { error }) }
    },
  }
}
