// Tells when a server hangs: it has answered nothing at all, to anybody, for longer than any answer of it takes. What waits
// for such a server has to be given up, or it would be held in memory for as long as the server hangs.

export interface SilenceWatch {
  /** Something was answered, no matter what. */
  heard(): void
  /** Calls `giveUp` unless something is heard in time; the function returned ends that. */
  begin(giveUp: () => void): () => void
}

export function watchSilence(limitMs: number): SilenceWatch {
  let answers = 0
  return {
    heard() {
      answers += 1
    },
    begin(giveUp) {
      const before = answers
      const timer = setTimeout(() => {
        if (answers === before) giveUp()
      }, limitMs)
      return () => clearTimeout(timer)
    },
  }
}
