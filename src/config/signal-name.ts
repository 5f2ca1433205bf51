// Names of signals and decisions: they stand in headers, records and conditions.

import * as z from 'zod'

const SIGNAL_NAME = z
  .string({ error: 'must be text; put quotes around numbers' })
  .regex(/^[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?$/, {
    error: 'must be 1 to 128 visible characters of ASCII, without spaces at its ends',
  })
  .regex(/^[^,"]*$/, { error: 'must not hold a comma or a quote: lists in headers are separated by commas' })

/** A name without spaces at its ends, commas or anything that a header can't hold. */
export function signalName() {
  return SIGNAL_NAME
}
