// HTML that can't be broken by what stands in it: every value is escaped unless it is HTML made here.

/** Text that is safe to put into a page as it is. */
export interface Html {
  readonly text: string
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character)
}

export function html(parts: TemplateStringsArray, ...values: readonly (Html | string | number)[]): Html {
  let text = parts[0] ?? ''
  values.forEach((value, at) => {
    text += typeof value === 'object' ? value.text : escaped(String(value))
    text += parts[at + 1] ?? ''
  })
  return { text }
}

export function joined(pieces: readonly Html[]): Html {
  return { text: pieces.map(({ text }) => text).join('') }
}
