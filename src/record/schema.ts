// The format of a decision record, version 4: names, types and which of them every record has. A superset of the Rust
// router's versions 1 to 3. The names are a contract; docs/decision-record.schema.json is made from this file.

import * as z from 'zod'
import { CLOSED_STATES, RECORD_SCHEMA_VERSION, type REQUIRED_FIELDS, STREAM_ENDS } from './format.ts'

/** What a tenant's use is limited by, in the words of its configuration. */
const RECORDED_LIMITS = ['requests', 'concurrency', 'tokens'] as const

const METHODS = ['policy', 'cluster', 'lmcache-prefix', 'cache-hit', 'semantic-hit', 'rejected', 'none'] as const

/**
 * An object that keeps fields it does not know, so that later versions stay readable. Its type names only the fields that
 * are known: nobody may rely on the others.
 */
function openObject<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape> {
  return z.looseObject(shape)
}

const hash = z.string().regex(/^[0-9a-f]{16}$/, 'must be 16 hexadecimal digits')
const milliseconds = z.number().min(0)
const timestamp = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/, 'must be a time in UTC as RFC 3339 writes it')
const count = z.int().min(0)

const affinity = openObject({
  source: z.string().describe('Where the key came from, such as `header:x-session-id`, `body:user` or `prompt`.'),
  hash: hash.describe('64-bit hash of source and key.'),
})

/** As an array, because a record has one for each candidate: names would make up a fifth of it. */
const now = z
  .array(
    z.union([
      z.number(),
      openObject({
        is: z.string().optional().describe('Its availability; absent for `up`.'),
        share: z.number().optional().describe('Part of its usual work it should get; absent for 1.'),
        permit: z.literal(true).optional().describe('This router had leave to try it while it was half open.'),
      }),
    ]),
  )
  .describe(
    'Requests in flight on it from this router, and from others; then what its metrics said: running, waiting, how many ' +
      'of them were ours, age in milliseconds, part of the KV cache in use. Numbers at the end that are not known, or 0 ' +
      'where nothing follows, are left out. An object comes last where it was not simply up.',
  )

const candidate = openObject({
  worker: z.string().describe('Id of the worker, or `id@rank` of a data-parallel rank.'),
  score: z.number().optional().describe('Higher is better; absent when the policy did not look at it.'),
  parts: z.record(z.string(), z.number()).optional().describe('The numbers that the score was made of.'),
  veto: z.string().optional().describe('Why it was left out; absent for one that could have been chosen.'),
  note: z.string().optional().describe('Why it was not left out although something spoke against it.'),
  now: now.optional(),
})

const attempt = openObject({
  worker: z.string().describe('Id of the candidate that was tried.'),
  outcome: z.string().describe('`answered`, `timeout`, `unreachable`, `aborted`, `superseded` or `invalid`.'),
  reason: z.string().optional().describe('A finer word for the outcome.'),
  status: z.int().min(0).max(999).optional().describe('HTTP status that the worker answered with.'),
  ms: milliseconds,
})

const split = openObject({
  weights: z.record(z.string(), z.number()).describe('Weights of the models of the rule that were available.'),
  affinity: affinity.optional().describe('The key the model was drawn by; absent when the request offered none.'),
})

const byCandidate = z.record(z.string(), z.number().min(0))

const prefix = openObject({
  prompt_tokens: z.number().min(0).describe('Length of the prompt, estimated or counted.'),
  prefill_ms_per_token: z.number().min(0).describe('What a token was taken to cost.'),
  cached: byCandidate
    .optional()
    .describe('Leading tokens that candidates were thought to hold; none where not listed.'),
  backlog: byCandidate.optional().describe('Tokens that requests from here still waited to have prefilled.'),
})

const lmcache = openObject({
  prefill_ms_per_token: z.number().min(0).describe('What a token was taken to cost.'),
  prompt_tokens: count.optional().describe('Length of the prompt as it was tokenised.'),
  matched: byCandidate.optional().describe('Leading tokens that workers hold, as a lookup said.'),
  chunks: byCandidate.optional().describe('Chunks in the caches of workers, as last heard.'),
})

const clusters = openObject({
  threshold: z.number().describe('From this similarity up a cluster was near enough.'),
  basis: hash.describe('Of the model and the examples that the similarities come from.'),
  ranked: z
    .array(
      openObject({
        name: z.string(),
        similarity: z.number().describe('Cosine of the text and the examples of the cluster.'),
        workers: z.array(z.string()).optional().describe('Ids of the workers that belong to it.'),
        labels: z.record(z.string(), z.string()).optional().describe('Workers with all of these belong to it, too.'),
      }),
    )
    .describe('The nearest clusters, best first.'),
})

const step = openObject({
  step: z.string().describe('What was tried, such as `tokenize`, `lookup` or `occupancy`.'),
  outcome: z.string().describe('`ok`, or why nothing came of it.'),
  ms: milliseconds,
})

const reading = openObject({
  is: z.enum(['matched', 'not_matched', 'unknown']),
  rule: z
    .string()
    .optional()
    .describe('Digest of the rule that was asked; under another one its name asks something else.'),
  confidence: z.number().min(0).max(1).optional().describe('How surely it matched; absent for 1.'),
  because: z.string().describe('In a few words of the configuration; never text of the caller.'),
})

const requiredShape = {
  schema_version: z.int().min(RECORD_SCHEMA_VERSION).describe('4; higher in records of later routers.'),
  decision_id: z.string().min(1).describe('Id of this record, as in the header x-vllm-router-decision-id.'),
  request_id: z.string().min(1).describe('Id of the request, as in the header x-request-id.'),
  timestamp: timestamp.describe('When the exchange ended, RFC 3339 in UTC.'),
  route: z.string().describe('Path of the route as the catalogue writes it, such as /v1/responses/:id.'),
  method: z.enum(METHODS).describe('How the worker was found; `none` when it was not, `rejected` before that.'),
  status: z.int().min(0).max(999).describe('HTTP status of the answer; 0 when nobody knows it.'),
  duration_ms: milliseconds.describe('From arrival to the end.'),
  lifecycle_state: z.enum(CLOSED_STATES).describe('How the exchange ended.'),
  config_hash: hash.describe('Of the configuration that it was decided under.'),
  attempts: z.array(attempt).describe('Every attempt at a worker, in order.'),
} satisfies Record<(typeof REQUIRED_FIELDS)[number], z.ZodType>

const optionalShape = {
  original_model: z.string().optional().describe('The model that was asked for.'),
  model: z.string().optional().describe('The model routed to, after hooks and rules.'),
  rule: z.string().optional().describe('`match` of the model rule that took the request.'),
  split: split.optional().describe('What the rule drew the model from.'),
  decision: z.string().optional().describe('Name of the decision rule that matched.'),
  category: z.string().optional().describe('Category that the request was sorted into.'),
  reasoning_mode: z.enum(['off', 'low', 'medium', 'high']).optional().describe('Reasoning asked of the model.'),
  signals: z.record(z.string(), z.array(z.string())).optional().describe('Names of matched signals by kind.'),
  signal_readings: z
    .record(z.string(), reading)
    .optional()
    .describe('What each signal said that decisions asked about, as `kind:name`.'),
  decision_confidence: z.number().min(0).max(1).optional().describe('How surely the decision rule matched.'),
  policy: z.string().optional().describe('The policy that chose.'),
  cluster: z.string().optional().describe('The cluster that was chosen.'),
  worker: z.string().optional().describe('The candidate that answered, or was tried last.'),
  cache_status: z.string().optional().describe('`exact-hit`, `semantic-hit`, `miss` or `bypass`.'),
  cache_key: z
    .string()
    .optional()
    .describe('What its answer is kept under in the response cache: SHA-256 of whose it is and of all that shapes it.'),
  cache_similarity: z
    .number()
    .optional()
    .describe('Cosine between the request and the one whose answer it was given; of semantic hits.'),
  hooks_ran: z.array(z.string()).optional().describe('Each hook that was asked, as `name` or `name:outcome`.'),
  tenant: z.string().optional().describe('Name of the tenant whose key it came with.'),
  session_id: hash.optional().describe('Stands for the session of the caller: the hash of its key, never its text.'),
  error: z.string().optional().describe('The error code when the answer is the router’s own.'),
  limit: z.enum(RECORDED_LIMITS).optional().describe('The limit of its tenant that refused it.'),
  ttft_ms: milliseconds.optional().describe('From arrival to the first byte of a streamed answer.'),
  queue_ms: milliseconds.optional().describe('How long it waited for a place in the router.'),
  stream_end: z.enum(STREAM_ENDS).optional().describe('How the body of the answer ended.'),
  streaming: z.literal(true).optional().describe('The caller asked for a stream.'),
  retry_refused: z.literal(true).optional().describe('The retry budget refused another attempt.'),
  panic: z.literal(true).optional().describe('So many workers looked bad that some of them were used all the same.'),
  seed: count.optional().describe('Seed of the randomness that the policy was given.'),
  view: openObject({
    source: z.string().describe('Where the state of the fleet came from.'),
    age_ms: milliseconds.describe('How old it was.'),
  })
    .optional()
    .describe('The state of the fleet that was decided on.'),
  view_hash: hash.optional().describe('Names the view document: what of the fleet changes slowly.'),
  affinity: affinity.optional().describe('The key that stands for the session of the caller.'),
  ticket: count.optional().describe('The turn of the request.'),
  prefix: prefix.optional().describe('Where the prompt was thought to be cached, by the index of the router.'),
  lmcache: lmcache.optional().describe('What LMCache said of where the prompt is cached.'),
  clusters: clusters.optional().describe('How near the text of the request was to the clusters.'),
  steps: z.array(step).optional().describe('What was asked of other services for the decision, in order.'),
  pinned: z.string().optional().describe('Id of the worker that holds what the request refers to.'),
  tried: z.array(z.string()).optional().describe('Candidates that earlier attempts had ruled out.'),
  candidates: z.array(candidate).optional().describe('The candidates of the last decision, in the order of the view.'),
  candidates_omitted: z.int().min(1).optional().describe('How many candidates are not listed.'),
  others: z
    .array(z.union([now, z.literal(0)]))
    .optional()
    .describe(
      '`now` of each candidate that is not listed, in the order of the view; 0 for as usual, as are those after.',
    ),
  usage: openObject({
    prompt_tokens: count.optional(),
    completion_tokens: count.optional(),
    total_tokens: count.optional(),
  })
    .optional()
    .describe('Tokens as the worker counted them.'),
  cached_tokens: openObject({ predicted: count.optional(), actual: count.optional() })
    .optional()
    .describe('Prompt tokens found in the cache of the worker: as foreseen, and as the worker counted them.'),
  prefix_hashes: z
    .array(z.string())
    .optional()
    .describe('A hash for each 2 KiB of the prompt, each of its block and all before it; only when switched on.'),
  request_text: z.string().optional().describe('Text of the prompt, at most 32 KiB; only when switched on.'),
  request_bytes: count.optional().describe('Size of the request body.'),
}

const shape = { ...requiredShape, ...optionalShape }

/** Every field of this version. */
export const ALL_FIELDS: readonly (keyof typeof shape)[] = keysOf(shape)

/** Checks a record that has been closed. Fields it does not know pass. */
export const decisionRecordSchema = openObject(shape)

/**
 * One per request that passed authentication, whatever became of it. Fields that do not apply or are not known are absent
 * from the written line; nothing is guessed.
 */
export type DecisionRecord = Frozen<z.output<typeof decisionRecordSchema>>
export type RecordedCandidate = Frozen<z.output<typeof candidate>>
/** What changes fast about a candidate, only where it is not as usual. */
export type RecordedNow = Frozen<z.output<typeof now>>

/** Read-only all the way down. */
type Frozen<Value> = Value extends object ? { readonly [Key in keyof Value]: Frozen<Value[Key]> } : Value

function keysOf<Shape extends object>(of: Shape): (keyof Shape)[] {
  return Object.keys(of) as (keyof Shape)[] // objects written out in this file: they have no other keys
}
