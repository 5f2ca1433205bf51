// The first sentence: who got the request, by whose choice, and what was answered.

import { errorWords } from '../error-words.ts'
import { type DryRun, type Explainer, type ExplainedRecord, isCacheHit } from '../subject.ts'
import { capitalized, milliseconds, named } from '../words.ts'

export const summary: Explainer = ({ record, dryRun }) =>
  dryRun === null ? [`${capitalized(whatBecame(record))}.`, ...unknownEnd(record)] : dryRunSentences(record, dryRun)

function whatBecame(record: ExplainedRecord): string {
  const { lifecycle_state: state, worker, duration_ms: durationMs } = record
  const went = worker === undefined ? null : `the request went to ${named(worker)}${byWhom(record)}`
  if (state === 'in_progress') {
    return went === null ? `the request is under way${stage(record)}` : `${went}; it is under way`
  }
  const after = durationMs === undefined ? '' : ` after ${milliseconds(durationMs)}`
  if (state === 'unknown') return `${went ?? 'the request got as far as the router'}; nobody saw how it ended`
  if (state === 'aborted') return `${went ?? 'the request reached no worker'}; its client left${after}`
  return went === null ? withoutWorker(record, after) : withWorker(record, went, after)
}

function withWorker({ error, status }: ExplainedRecord, went: string, after: string): string {
  if (error === undefined) return `${went} and was answered with ${statusOf(status)}${after}`
  return `${went}, but was answered with ${statusOf(status)} ${named(error)}${after}, ${errorWords(error)}`
}

function withoutWorker(record: ExplainedRecord, after: string): string {
  const { error, status } = record
  if (error !== undefined) {
    return `the request reached no worker: it was refused with ${statusOf(status)} ${named(error)}${after}, ${errorWords(error)}`
  }
  if (isCacheHit(record)) {
    return `the request was answered from a cache, no worker was asked: ${statusOf(status)}${after}`
  }
  return `the request was answered by the router itself: ${statusOf(status)}${after}`
}

function statusOf(status: number | undefined): string {
  return status === undefined || status === 0 ? 'a status that nobody knows' : String(status)
}

function stage({ method }: ExplainedRecord): string {
  return method === 'rejected' ? ', and its worker is not chosen yet' : ''
}

function byWhom({ policy, method, cluster }: ExplainedRecord): string {
  if (cluster !== undefined) return ` of cluster ${named(cluster)}`
  if (policy !== undefined) return ` by policy ${named(policy)}`
  return method === undefined || method === 'policy' ? '' : ` by ${named(method)}`
}

function unknownEnd({ lifecycle_state: state }: ExplainedRecord): readonly string[] {
  return state === 'unknown' ? ['Its process or isolate went away meanwhile.'] : []
}

function dryRunSentences(record: ExplainedRecord, { message }: DryRun): readonly string[] {
  const { worker, status, error } = record
  const would = isCacheHit(record)
    ? 'This request would be answered from a cache; no worker would be asked.'
    : worker === undefined
      ? `This request would be refused with ${status ?? 'an error'}${error === undefined ? '' : ` ${named(error)}`}.`
      : `This request would go to ${named(worker)}${byWhom(record)}.`
  const said = message === undefined ? [] : [`Its caller would read: ${message}`]
  return [would, ...said, 'It was only tried: no worker was asked, and nothing was counted.']
}
