// A call that a request makes beside its own work: within a budget of time, and not at all while the other side is known
// to fail.

/** Lets calls through while they work; a breaker. */
export interface CallGate {
  /** Null when the call must not be made. */
  enter(): { succeeded(): void; failed(): void; calledOff(): void } | null
}

export interface CallBounds {
  readonly gate: CallGate
  readonly budgetMs: number
  /** Calls `task` once after `delayMs`; the function returned calls it off. */
  after(delayMs: number, task: () => void): () => void
  /** Told of each call that came to nothing. */
  onFailure?(why: 'timeout' | 'error'): void
}

/** `open` when nobody was asked. */
export type CallOutcome<Value> =
  | { readonly kind: 'answer'; readonly value: Value }
  | { readonly kind: 'error'; readonly cause: unknown }
  | { readonly kind: 'timeout' | 'aborted' | 'open' }

/**
 * Never rejects, and never takes longer than the budget, whatever becomes of the call. Slow is failed: whoever is always
 * late is not asked any more.
 */
export async function callWithin<Value>(
  { gate, budgetMs, after, onFailure }: CallBounds,
  signal: AbortSignal,
  call: (signal: AbortSignal) => Promise<Value>,
): Promise<CallOutcome<Value>> {
  if (signal.aborted) return { kind: 'aborted' }
  const permit = gate.enter()
  if (permit === null) return { kind: 'open' }
  const controller = new AbortController()
  let cutShort: (outcome: CallOutcome<Value>) => void = () => {}
  const cut = new Promise<CallOutcome<Value>>((resolve) => (cutShort = resolve))
  const onAbort = () => cutShort({ kind: 'aborted' })
  const callOff = after(budgetMs, () => cutShort({ kind: 'timeout' }))
  signal.addEventListener('abort', onAbort)
  try {
    const outcome = await Promise.race([settled(call(controller.signal)), cut])
    if (outcome.kind === 'answer') permit.succeeded()
    else if (outcome.kind === 'aborted') permit.calledOff()
    else {
      permit.failed()
      if (outcome.kind !== 'open') onFailure?.(outcome.kind)
    }
    return outcome
  } finally {
    callOff()
    signal.removeEventListener('abort', onAbort)
    controller.abort()
  }
}

async function settled<Value>(answer: Promise<Value>): Promise<CallOutcome<Value>> {
  try {
    return { kind: 'answer', value: await answer }
  } catch (cause) {
    // The gate's to count, and for whoever wants to tell of it; who asked goes on without.
    return { kind: 'error', cause }
  }
}
