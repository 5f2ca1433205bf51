// What a deployed Worker logs: objects, by the console's method of their level.

import { vi } from 'vitest'

export interface LoggedEntry {
  readonly event: string
  readonly [field: string]: unknown
}

/** Entries from now on, in the order they come; nothing is printed. */
export function watchLog(): readonly LoggedEntry[] {
  const entries: LoggedEntry[] = []
  for (const method of ['debug', 'info', 'warn', 'error'] as const) {
    vi.spyOn(console, method).mockImplementation((entry) => void entries.push(entry))
  }
  return entries
}
