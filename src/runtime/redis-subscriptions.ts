// Channels that a connection to Redis listens to: again after each time it breaks, and known to be refused where they are.

type Listener = (message: string) => void

/** What of a client this takes. */
export interface SubscribingClient {
  readonly isReady: boolean
  subscribe(channel: string, listener: Listener): Promise<unknown>
}

export class RedisSubscriptions {
  readonly #client: SubscribingClient
  readonly #listeners = new Map<string, Listener>()
  /** Channels that the server refuses, and why. */
  readonly #refused = new Map<string, unknown>()

  constructor(client: SubscribingClient) {
    this.#client = client
  }

  add(channel: string, listener: Listener): void {
    this.#listeners.set(channel, listener)
    if (this.#client.isReady) this.#subscribe(channel, listener)
  }

  /** To be called whenever the client is ready. */
  renew(): void {
    for (const [channel, listener] of this.#listeners) this.#subscribe(channel, listener)
  }

  /** A channel that the server refuses, which is tried once more; null where there is none. */
  refusal(): { readonly channel: string; readonly cause: unknown } | null {
    for (const [channel, cause] of this.#refused) {
      const listener = this.#listeners.get(channel)
      if (listener !== undefined) this.#subscribe(channel, listener)
      return { channel, cause }
    }
    return null
  }

  #subscribe(channel: string, listener: Listener): void {
    this.#client.subscribe(channel, listener).then(
      () => void this.#refused.delete(channel),
      (error: unknown) => {
        // A connection that breaks meanwhile is ready once more later; subscribing twice to one listener is once.
        if (this.#client.isReady) this.#refused.set(channel, error)
      },
    )
  }
}
