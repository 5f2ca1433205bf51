// Stored responses of /v1/responses. They live in this worker's memory and nowhere else, which is what makes a router
// keep a conversation on one worker.

import type { ChatMessage } from './chat-template.ts'

export interface StoredResponse {
  /** The response object as it stands now. */
  body: Record<string, unknown> & { readonly id: string; readonly status: string }
  /** The conversation up to and including the answer. */
  readonly messages: readonly ChatMessage[]
  /** Stops the work behind it; null when it doesn't run in the background. */
  readonly cancel: (() => void) | null
}

// As many as a test will look at; the oldest go first.
const MAX_STORED = 10_000

/** Responses by id. */
export class ResponseStore {
  readonly #responses = new Map<string, StoredResponse>()

  get(id: string): StoredResponse | null {
    return this.#responses.get(id) ?? null
  }

  put(response: StoredResponse): void {
    this.#responses.set(response.body.id, response)
    if (this.#responses.size <= MAX_STORED) return
    for (const oldest of this.#responses.keys()) {
      this.#responses.delete(oldest)
      return
    }
  }

  delete(id: string): boolean {
    return this.#responses.delete(id)
  }

  clear(): void {
    this.#responses.clear()
  }
}
