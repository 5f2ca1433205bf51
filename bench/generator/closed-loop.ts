// Every connection sends its next request when its last answer is complete.

import { countAnswer, type LoadRun, openCounted, RETRY_MS } from './load-run.ts'

export async function runClosedLoop(run: LoadRun): Promise<void> {
  await Promise.all(Array.from({ length: run.connections }, () => keepAsking(run)))
}

/** One connection after another until the time is up; servers may close a connection between answers. */
async function keepAsking(run: LoadRun): Promise<void> {
  while (performance.now() < run.untilMs) {
    const wasOpen = await askOverOneConnection(run)
    if (!wasOpen) await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
  }
}

/** Resolves when the connection is over: false when it never stood. */
function askOverOneConnection(run: LoadRun): Promise<boolean> {
  return new Promise((resolve) => {
    let sentAtMs = 0
    const connection = openCounted(run, {
      onOpen: ask,
      onAnswer(answer) {
        const nowMs = performance.now()
        countAnswer(run, answer, nowMs - sentAtMs)
        if (nowMs < run.untilMs && !answer.isClosing) ask()
        else connection.end()
      },
      onClose: ({ wasOpen }) => resolve(wasOpen),
    })
    function ask(): void {
      sentAtMs = performance.now()
      connection.ask()
    }
  })
}
