// /metrics: what Prometheus scrapes.

import type { Context } from 'hono'
import type { AdminParts } from '../../control/admin-parts.ts'
import type { AppEnv } from '../../middleware/app-env.ts'

/** The version of the text format that a scraper must understand. */
const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export async function showMetrics(admin: AdminParts, context: Context<AppEnv>): Promise<Response> {
  return context.body(await admin.exposeMetrics(), 200, { 'content-type': CONTENT_TYPE })
}
