// What went wrong with a Redis, in words fit for a log: servers and clients may say again what they were told.

const MAX_LENGTH = 160

/** Words about a failure of the Redis at this URL, without its password and without other secrets. */
export function failureWords(url: string, others: readonly string[] = []): (failure: unknown) => string {
  const { password } = new URL(url)
  const secrets = [decodeURIComponent(password), password, ...others].filter((secret) => secret !== '')
  return (failure) => {
    const words = wordsOf(failure)
    return secrets.reduce((text, secret) => text.replaceAll(secret, '***'), words).slice(0, MAX_LENGTH)
  }
}

function wordsOf(failure: unknown): string {
  if (!(failure instanceof Error)) return 'no answer'
  if (failure.message.startsWith('NOAUTH')) return 'NOAUTH: it wants a password, and the URL has none'
  // Several addresses of one name, none of which answers, are an error without a message.
  if (failure.message === '' && 'code' in failure) return String(failure.code)
  // A server that does not know a command says again what came with it.
  return failure.message.split(', with args beginning with', 1)[0] ?? ''
}
