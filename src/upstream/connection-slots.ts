// How many connections are open at once, whoever asks: what finds no slot waits for one, in turn.

/** Cloudflare lets six connections of one invocation wait for headers; more would only queue there, unseen. */
export const CONNECTIONS_AT_ONCE = 6

/** Runs a task once a slot is free. */
export type WithSlot = <Result>(task: () => Promise<Result>) => Promise<Result>

/** So many slots, handed on first come, first served. */
export function createSlots(count: number): WithSlot {
  const waiting: (() => void)[] = []
  let free = count
  return async (task) => {
    if (free > 0) free -= 1
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await task()
    } finally {
      const next = waiting.shift()
      if (next === undefined) free += 1
      else next()
    }
  }
}
