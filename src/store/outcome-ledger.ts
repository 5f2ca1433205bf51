// How attempts ended, on the way to the state above: gathered by worker and epoch, handed up in numbered batches, one at a
// time, and handed up again until the state above has it.

import type { OutcomeBatch, WorkerOutcomes } from './fleet-store.ts'

/** How an attempt ended, as far as it says something about its worker. */
export type Outcome =
  | { readonly kind: 'ok' }
  /** It answered; what was wrong is the caller's. */
  | { readonly kind: 'caller' }
  /** `reach`: how far it surely got. */
  | { readonly kind: 'fault'; readonly reach: 'not_sent' | 'maybe_sent' | 'sent' }
  /** The worker asked for less; `waitMs` is how long it wants to be left alone, 0 when it did not say. */
  | { readonly kind: 'busy'; readonly waitMs: number }

type Counts = { -readonly [Field in keyof WorkerOutcomes]: WorkerOutcomes[Field] }

export class OutcomeLedger {
  readonly #sender: string
  #open = new Map<string, Counts>()
  #underWay: OutcomeBatch | null = null
  #seq = 0

  /** `sender` names this memory; another life of it needs another name. */
  constructor(sender: string) {
    this.#sender = sender
  }

  note(workerId: string, epoch: number, outcome: Outcome): void {
    if (outcome.kind === 'caller') return
    const isOk = outcome.kind === 'ok'
    const faults = outcome.kind === 'fault' ? 1 : 0
    const busies = outcome.kind === 'busy' ? 1 : 0
    const busyForMs = outcome.kind === 'busy' ? outcome.waitMs : 0
    this.add({ workerId, epoch, oks: isOk ? 1 : 0, faults, faultsInRow: faults, busies, busyForMs })
  }

  /** Adds what another memory has gathered. */
  add(more: WorkerOutcomes): void {
    const key = `${more.epoch} ${more.workerId}`
    const counts = this.#open.get(key)
    if (counts === undefined) {
      this.#open.set(key, { ...more })
      return
    }
    // In what order the attempts of two memories ended is not known; a success among the new ones is taken for later.
    counts.faultsInRow = more.oks === 0 ? counts.faultsInRow + more.faults : more.faultsInRow
    counts.oks += more.oks
    counts.faults += more.faults
    counts.busies += more.busies
    counts.busyForMs = Math.max(counts.busyForMs, more.busyForMs)
  }

  /** What to hand up now; null when there is nothing. The batch before it is repeated until it has arrived. */
  batch(): OutcomeBatch | null {
    if (this.#underWay === null && this.#open.size > 0) {
      this.#seq += 1
      this.#underWay = { sender: this.#sender, seq: this.#seq, workers: [...this.#open.values()] }
      this.#open = new Map()
    }
    return this.#underWay
  }

  /** The state above has this batch. */
  markDelivered(batch: OutcomeBatch | null): void {
    if (batch !== null && batch.seq === this.#underWay?.seq) this.#underWay = null
  }

  /** The batch that will carry what is noted now. */
  nextSeq(): number {
    return this.#seq + 1
  }
}
