// Which process speaks for which holders, and which processes have died: whoever leads forgets what they had in flight.

import { presenceKey } from './leader-lock.ts'
import type { RedisLink } from './redis-link.ts'

const ALIVE = `
local alive = {}
for at = 1, #KEYS do alive[at] = redis.call('EXISTS', KEYS[at]) end
return alive`

export class ProcessBook {
  readonly #link: RedisLink
  readonly #keyPrefix: string
  readonly #holders = new Map<string, Set<string>>()

  constructor(link: RedisLink, keyPrefix: string) {
    this.#link = link
    this.#keyPrefix = keyPrefix
  }

  note(process: string, holder: string): void {
    const holders = this.#holders.get(process) ?? new Set()
    this.#holders.set(process, holders.add(holder))
  }

  /** Holders of processes that have not said for a while that they live; each is told of once. */
  async takeDead(): Promise<readonly string[]> {
    const processes = [...this.#holders.keys()]
    if (processes.length === 0) return []
    const keys = processes.map((process) => presenceKey(this.#keyPrefix, process))
    const reply = await this.#link.eval(ALIVE, { keys, args: [] })
    const alive = Array.isArray(reply) ? reply : []
    const dead = processes.filter((_, at) => alive[at] === 0)
    const holders = dead.flatMap((process) => [...(this.#holders.get(process) ?? [])])
    for (const process of dead) this.#holders.delete(process)
    return holders
  }
}
