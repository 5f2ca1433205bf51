// How many rows a `DecisionLog` object writes to SQLite; test/workerd/decision-rows.test.ts holds the objects to it.

/** A batch of records, and its end once the bucket has it. */
export const ROWS_PER_BATCH = 2

/** A segment, its place in time, its index, that it is stored, and how far the export has got. */
export const ROWS_PER_SEGMENT = 5

/** The alarm that writes segments is set when records come, and once more where records are kept for a time only. */
export const ALARMS_PER_EXPORT = 2

/** When `retention_days` or `retention_bytes` deletes a segment. */
export const ROWS_PER_DELETED_SEGMENT = 3

/** Of a request that lasts longer than five seconds, then and every 20 seconds. */
export const ROWS_PER_TELLING = 1

/** When such a request has ended. */
export const ROWS_PER_TOLD_END = 1
