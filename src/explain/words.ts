// Numbers, names and lists as sentences write them.

/** `a`, `b` and `c`; of a long list the beginning. */
export function listed(items: readonly string[], most = 8): string {
  const shown = items.length > most ? [...items.slice(0, most), `${items.length - most} more`] : items
  const last = shown.at(-1) ?? ''
  return shown.length < 2 ? last : `${shown.slice(0, -1).join(', ')} and ${last}`
}

/** A name as it stands in the record. Callers choose some of them, so control characters are shown as they are coded. */
export function named(name: string): string {
  return `\`${plain(name)}\``
}

/** Without what a terminal would obey. */
export function plain(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => {
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
  })
}

/** 1,234.5: at most four digits that mean something behind the thousands. */
export function amount(value: number): string {
  const rounded =
    Number.isInteger(value) || Math.abs(value) >= 10_000 ? Math.round(value) : Number(value.toPrecision(4))
  const [whole = '', fraction] = String(rounded).split('.')
  if (/e/.test(whole + (fraction ?? ''))) return String(rounded)
  const grouped = whole.replaceAll(/\B(?=(?:\d{3})+$)/g, ',')
  return fraction === undefined ? grouped : `${grouped}.${fraction}`
}

export function milliseconds(value: number): string {
  return `${amount(Math.round(value))} ms`
}

/** 1 request, 2 requests. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${amount(count)} ${count === 1 ? one : many}`
}

/** First, second, …, 11th, …, 21st. */
export function ordinal(place: number): string {
  const ending = place % 100 > 10 && place % 100 < 14 ? 'th' : (['th', 'st', 'nd', 'rd'][place % 10] ?? 'th')
  return ['first', 'second', 'third', 'fourth', 'fifth'][place - 1] ?? `${place}${ending}`
}

export function capitalized(sentence: string): string {
  return sentence.slice(0, 1).toUpperCase() + sentence.slice(1)
}
