// What went wrong inside, as text for the log: with where it happened, without what a caller or an address may have hidden
// in it.

/** Causes of causes that are told. */
const MAX_DEPTH = 4
const MAX_CHARACTERS = 4_000

/** The stack of an error and of what caused it; anything else as it prints. */
export function causeText(cause: unknown, depth = 0): string {
  if (!(cause instanceof Error)) return safe(String(cause)).slice(0, MAX_CHARACTERS)
  const { name, message, stack, cause: deeper } = cause
  const frames = framesOf(stack)
  const own = `${name}: ${saysInput(cause) ? 'text that is not valid JSON' : safe(message)}${frames}`
  const rest = deeper === undefined || deeper === null || depth >= MAX_DEPTH ? '' : causeText(deeper, depth + 1)
  return `${own}${rest === '' ? '' : `\ncaused by ${rest}`}`.slice(0, MAX_CHARACTERS)
}

/** The same in one phrase, for what fails outside: no stack. */
export function reasonText(cause: unknown): string {
  if (!(cause instanceof Error)) return safe(String(cause)).slice(0, MAX_CHARACTERS)
  return (saysInput(cause) ? 'text that is not valid JSON' : safe(cause.message)).slice(0, MAX_CHARACTERS)
}

/** Parsers of JSON quote what they were given: that may be a prompt. */
function saysInput(error: Error): boolean {
  return error.name === 'SyntaxError'
}

/** Without the message, which engines put in front of the frames. */
function framesOf(stack: string | undefined): string {
  const frames = (stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  return frames.length === 0 ? '' : `\n${frames.join('\n')}`
}

/** Users, passwords and queries of addresses are secrets wherever they turn up; so is what follows `Bearer`. */
function safe(text: string): string {
  return text
    .replace(/(\/\/)[^/?#\s"'`]*@/g, '$1***@')
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s"'`?#]*)[?#][^\s"'`]*/gi, '$1?***')
    .replace(/\b(bearer|basic)\s+[^\s"'`]+/gi, '$1 ***')
}
