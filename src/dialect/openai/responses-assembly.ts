// Streams of /v1/responses: their last event holds the whole response. Of one that was cut, the text that had come.

import { type Assembly, TextFields } from '../assembly.ts'
import { fieldOf } from '../json-peek.ts'

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
      else if (type === 'response.created' && typeof response === 'object') begun = response
      else if (type === 'response.output_text.delta') texts.append('output_text', fieldOf(event, 'delta'), budget)
      else if (type === 'error') error = event
    },
    result() {
      if (whole !== null) return whole
      if (begun === null && error === undefined) return null
      return { ...begun, ...texts.toObject(), ...(error === undefined ? {} : { error }) }
    },
  }
}
