// Hedging: when the first byte is late a second worker is asked, and the first of the two to answer wins.

import type { Platform } from '../platform.ts'
import { type AttemptResult, dropAnswer } from './attempt-result.ts'

/** Starts an attempt that gives up when the signal fires. */
export type Begin = (superseded: AbortSignal) => Promise<AttemptResult>

export interface HedgeOptions {
  readonly first: Begin
  readonly afterMs: number
  readonly platform: Pick<Platform, 'after'>
  /** Asked once the first attempt is late: how to begin another, or null when there is nobody or no budget for it. */
  second(): Begin | null
}

interface Running {
  readonly controller: AbortController
  readonly result: Promise<AttemptResult>
}

/** The first answer; when both attempts fail, the later failure. The loser is aborted. */
export async function firstToAnswer({ first, second, afterMs, platform }: HedgeOptions): Promise<AttemptResult> {
  const early = start(first)
  if (await settlesWithin(early.result, afterMs, platform)) return early.result
  const begin = second()
  if (begin === null) return early.result
  const late = start(begin)
  const winner = await Promise.race([early, late].map(async (running) => ({ running, result: await running.result })))
  const loser = winner.running === early ? late : early
  if (winner.result.failure === null) {
    supersede(loser)
    return winner.result
  }
  // The first to end failed; the other may still answer, and then it is the answer.
  const other = await loser.result
  if (winner.result.failure.answered !== null) dropAnswer(winner.result.failure.answered)
  return other
}

function start(begin: Begin): Running {
  const controller = new AbortController()
  return { controller, result: begin(controller.signal) }
}

function supersede({ controller, result }: Running): void {
  controller.abort()
  void dropWhenAnswered(result)
}

/** The loser may have answered in the same moment; its answer is nobody's then. */
async function dropWhenAnswered(result: Promise<AttemptResult>): Promise<void> {
  const { answered, failure } = await result
  const unclaimed = answered ?? failure.answered
  if (unclaimed !== null) dropAnswer(unclaimed)
}

async function settlesWithin(
  result: Promise<AttemptResult>,
  limitMs: number,
  platform: Pick<Platform, 'after'>,
): Promise<boolean> {
  let callOff: () => void = () => {}
  const late = new Promise<false>((resolve) => {
    callOff = platform.after(limitMs, () => resolve(false))
  })
  const isSettled = await Promise.race([result.then(() => true), late])
  callOff()
  return isSettled
}
