// What a simulated worker tells the simulated controller: the body of POST /sim/report, and its answer. The real ones
// speak ZMQ to each other, which no router ever sees.

import * as z from 'zod'

const keys = z.array(z.int().min(0))

export const cacheReportSchema = z.strictObject({
  instance_id: z.string().min(1),
  /** A rank of the instance. */
  worker_id: z.int().min(0),
  ip: z.string(),
  port: z.int().min(0),
  stored: keys,
  evicted: keys,
  /** True when `stored` is all there is, and what the controller knew before counts no more. */
  is_snapshot: z.boolean(),
})

export type CacheReport = z.output<typeof cacheReportSchema>

export const reportReplySchema = z.object({
  /** The controller has lost what it knew of this worker and wants all of it. */
  wants_snapshot: z.boolean(),
})

export type ReportReply = z.output<typeof reportReplySchema>
