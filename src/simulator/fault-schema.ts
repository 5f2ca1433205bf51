// What can be made to go wrong, as documents: the body of POST /sim/faults, of `--fault`, and of the `x-sim-fault`
// header.

import * as z from 'zod'

const count = z.int().min(0)
const milliseconds = z.number().min(0)

/** How a stream dies; see the flag's help text for each. */
export const DEATH_MODES = ['rst', 'fin', 'clean', 'done_without_finish', 'mid_event'] as const

/** The faults themselves. Several may be set; those that come first in the life of a request win. */
export const faultsSchema = z.strictObject({
  refuse: z.boolean().optional(),
  refuse_ms: milliseconds.optional(),
  hang: z.boolean().optional(),
  slow_headers_ms: milliseconds.optional(),
  die_before_headers: z.boolean().optional(),
  die_mid_stream: z.strictObject({ after_events: count, mode: z.enum(DEATH_MODES).default('rst') }).optional(),
  stall_mid_stream: z.strictObject({ after_events: count, for_ms: milliseconds.optional() }).optional(),
  status: z.int().min(400).max(599).optional(),
  retry_after: z.union([z.string(), z.number()]).optional(),
  message: z.string().optional(),
  error_in_stream: z.strictObject({ after_events: count, status: z.int().default(500) }).optional(),
  health: z.int().min(400).max(599).optional(),
  freeze: z.boolean().optional(),
  html_200: z.boolean().optional(),
  gzip: z.boolean().optional(),
  truncated_json: z.boolean().optional(),
  /** true for a set that a router must cope with: two cookies, a value that is not ASCII, an internal header. */
  extra_headers: z
    .union([z.literal(true), z.record(z.string(), z.union([z.string(), z.array(z.string())]))])
    .optional(),
})

/** Faults with the requests they befall. */
export const faultRuleSchema = faultsSchema.extend({
  /** Only requests whose body contains this. */
  match: z.string().optional(),
  /** Only paths that begin with this. Without it a rule befalls every POST, which leaves probes alone. */
  path: z.string().optional(),
  /** Share of the requests, drawn from the worker's seed. */
  rate: z.number().min(0).max(1).optional(),
  /** Expires after so many requests. */
  times: count.optional(),
})

/** One rule, or several; later rules win where two set the same fault. */
export const faultDocumentSchema = z.union([z.array(faultRuleSchema), faultRuleSchema.transform((rule) => [rule])])

export type Faults = z.output<typeof faultsSchema>
export type FaultRule = z.output<typeof faultRuleSchema>
/** A rule as it may be written, defaults left out. */
export type FaultRuleInput = z.input<typeof faultRuleSchema>
