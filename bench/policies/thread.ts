// A thread of the bench: does the runs it is given, one after the other.

import { parentPort, workerData } from 'node:worker_threads'
import type { FleetPlan, RunPlan } from './matrix.ts'
import type { Figures } from './outcome.ts'
import { createRunner, type TraceSource } from './run.ts'

/** A fleet to measure, or a run at the capacity that was measured. */
export type Task =
  | { readonly kind: 'capacity'; readonly plan: FleetPlan }
  | { readonly kind: 'run'; readonly plan: RunPlan; readonly capacity: number }

export type TaskResult = number | Figures

const source: TraceSource = workerData
const runner = createRunner(source)

parentPort?.on('message', (task: Task) => {
  const result: TaskResult =
    task.kind === 'capacity' ? runner.capacityOf(task.plan) : runner.figuresOf(task.plan, task.capacity)
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
  parentPort?.postMessage(result)
})
