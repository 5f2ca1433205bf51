// Whether a collector takes what it is sent: told when it stops, and when it does again.

import type { ExporterChange } from '../../pipeline/events.ts'

export class ExporterHealth {
  readonly #signal: ExporterChange['signal']
  readonly #onChange: (change: ExporterChange) => void
  #isFailing = false

  constructor(signal: ExporterChange['signal'], onChange: (change: ExporterChange) => void) {
    this.#signal = signal
    this.#onChange = onChange
  }

  /** A message was taken, or not; `lost` is what was lost so far. */
  note(isTaken: boolean, lost: number): void {
    if (isTaken !== this.#isFailing) return
    this.#isFailing = !isTaken
    this.#onChange({ signal: this.#signal, state: isTaken ? 'recovered' : 'failing', lost })
  }
}
