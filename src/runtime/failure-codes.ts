// Finds an error's code however deep the runtime buried it.

/** Reason words of ours by the runtime's error codes. */
export type FailureTable = Readonly<Record<string, string>>

/** The reason for the first known code among the error, its causes and the errors it gathers; null if none is known. */
export function findCode(error: unknown, table: FailureTable): string | null {
  if (!(error instanceof Error)) return null
  if ('code' in error && typeof error.code === 'string' && Object.hasOwn(table, error.code)) {
    return table[error.code] ?? null
  }
  const inner = error instanceof AggregateError ? error.errors : [error.cause]
  for (const cause of inner) {
    const reason = findCode(cause, table)
    if (reason !== null) return reason
  }
  return null
}
