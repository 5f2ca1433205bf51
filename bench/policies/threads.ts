// Spreads tasks over threads. Which thread does what makes no difference to any figure.

import { Worker } from 'node:worker_threads'
import type { TraceSource } from './run.ts'
import type { Task, TaskResult } from './thread.ts'

export class Threads {
  readonly #workers: readonly Worker[]

  constructor(count: number, source: TraceSource) {
    const file = new URL('thread.ts', import.meta.url)
    this.#workers = Array.from({ length: count }, () => new Worker(file, { workerData: source }))
  }

  /** Results in the order of the tasks; `onResult` hears of each as it comes. */
  async doAll(
    tasks: readonly Task[],
    onResult: (task: Task, result: TaskResult) => void,
  ): Promise<readonly TaskResult[]> {
    const results: TaskResult[] = []
    let next = 0
    const work = async (worker: Worker): Promise<void> => {
      for (let at = next++; ; at = next++) {
        const task = tasks[at]
        if (task === undefined) return
        const result = await ask(worker, task)
        results[at] = result
        onResult(task, result)
      }
    }
    await Promise.all(this.#workers.map(work))
    return results
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }
}

function ask(worker: Worker, task: Task): Promise<TaskResult> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      worker.off('message', onMessage)
      worker.off('error', onError)
    }
    const onMessage = (result: TaskResult): void => {
      settle()
      resolve(result)
    }
    const onError = (error: unknown): void => {
      settle()
      reject(error instanceof Error ? error : new Error(String(error)))
    }
    worker.on('message', onMessage)
    worker.on('error', onError)
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
    worker.postMessage(task)
  })
}
