// Which content types the inference routes take: for requests that come, and for those that a dry run is about.

import { RouterError } from '../errors/router-error.ts'

const JSON_TYPE = /^application\/(?:json|[a-z0-9.+-]+\+json)\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i
const FORM_TYPE = /^multipart\/form-data\b/i

/** Throws `unsupported_media_type` for anything but JSON in UTF-8. */
export function checkJsonType(type: string): void {
  if (JSON_TYPE.test(type.trim())) return
  throw new RouterError('unsupported_media_type', 'This route takes `Content-Type: application/json` in UTF-8.')
}

/** Throws `unsupported_media_type` for anything but a form. */
export function checkFormType(type: string): void {
  if (FORM_TYPE.test(type.trim())) return
  throw new RouterError('unsupported_media_type', 'This route takes `Content-Type: multipart/form-data`.')
}
