// Every error the router itself can answer with: its HTTP status, OpenAI's `type`, and whether another try could help.
// `code` reaches clients in the body, so names here are a contract.

export interface ErrorCode {
  /** HTTP status of the answer. */
  readonly status: number
  /** OpenAI's coarse class, `error.type` in the body. */
  readonly type: ErrorType
  /** Whether the same request may succeed later without a change by the caller. */
  readonly retryable: boolean
}

export type ErrorType =
  | 'invalid_request_error'
  | 'authentication_error'
  | 'permission_error'
  | 'not_found_error'
  | 'rate_limit_error'
  | 'api_error'
  | 'overloaded_error'
  | 'timeout_error'

export const ERROR_CODES = {
  invalid_path: { status: 400, type: 'invalid_request_error', retryable: false }, // encoded tricks, //, dot segments
  invalid_json: { status: 400, type: 'invalid_request_error', retryable: false }, // the body is no JSON object
  invalid_request: { status: 400, type: 'invalid_request_error', retryable: false }, // a field the router reads is unusable
  invalid_multipart: { status: 400, type: 'invalid_request_error', retryable: false }, // no boundary, or broken parts
  hook_rejected_request: { status: 400, type: 'invalid_request_error', retryable: false }, // the same, `block400`
  config_refused: { status: 400, type: 'invalid_request_error', retryable: false }, // a configuration sent by an operator is refused
  model_required: { status: 400, type: 'invalid_request_error', retryable: false }, // no model named, none to assume
  invalid_api_key: { status: 401, type: 'authentication_error', retryable: false }, // no key, or not one of ours
  invalid_admin_key: { status: 401, type: 'authentication_error', retryable: false }, // an admin route without an admin key
  access_not_configured: { status: 403, type: 'permission_error', retryable: false }, // deployed without a key
  admin_forbidden: { status: 403, type: 'permission_error', retryable: false }, // a key that does not open this admin route
  admin_not_configured: { status: 403, type: 'permission_error', retryable: false }, // no admin key is set, and this is no local call
  tenant_disabled: { status: 403, type: 'permission_error', retryable: false }, // the key's tenant is switched off
  model_not_allowed: { status: 403, type: 'permission_error', retryable: false }, // not a model this caller may use
  hook_rejected: { status: 403, type: 'permission_error', retryable: false }, // a pre-routing hook said no
  not_found: { status: 404, type: 'not_found_error', retryable: false }, // no such route
  model_not_found: { status: 404, type: 'not_found_error', retryable: false }, // no worker serves this name
  response_not_found: { status: 404, type: 'not_found_error', retryable: false }, // no such stored response (for this caller)
  worker_not_found: { status: 404, type: 'not_found_error', retryable: false }, // an operator named a worker that is not there
  decision_not_found: { status: 404, type: 'not_found_error', retryable: false }, // no record with this id is kept
  replay_not_found: { status: 404, type: 'not_found_error', retryable: false }, // no such record of Router Replay, or none at all
  config_version_not_found: { status: 404, type: 'not_found_error', retryable: false }, // no such earlier configuration
  method_not_allowed: { status: 405, type: 'invalid_request_error', retryable: false }, // the route exists, not this method
  request_timeout: { status: 408, type: 'timeout_error', retryable: true }, // the request's body came too slowly
  worker_exists: { status: 409, type: 'invalid_request_error', retryable: false }, // an operator added a worker twice
  config_conflict: { status: 409, type: 'invalid_request_error', retryable: false }, // another change of the configuration came first
  replay_incomplete: { status: 409, type: 'invalid_request_error', retryable: false }, // a record without what it takes to send it again
  config_mismatch: { status: 412, type: 'invalid_request_error', retryable: false }, // `If-Match` names another configuration
  body_too_large: { status: 413, type: 'invalid_request_error', retryable: false }, // more than max_payload_size
  unsupported_media_type: { status: 415, type: 'invalid_request_error', retryable: false }, // not what the route takes
  header_too_large: { status: 431, type: 'invalid_request_error', retryable: false }, // request headers beyond the limit
  rate_limit_exceeded: { status: 429, type: 'rate_limit_error', retryable: true }, // a limit of the caller's tenant
  client_closed_request: { status: 499, type: 'api_error', retryable: false }, // the caller left; nobody reads this
  internal_error: { status: 500, type: 'api_error', retryable: false }, // a defect of the router
  hook_failed: { status: 502, type: 'api_error', retryable: true }, // a hook with `on_error: block` could not judge
  upstream_unreachable: { status: 502, type: 'api_error', retryable: true }, // no connection, or it broke before an answer
  upstream_tls: { status: 502, type: 'api_error', retryable: false }, // the worker's certificate, or its TLS, is not accepted
  upstream_truncated: { status: 502, type: 'api_error', retryable: true }, // the worker's stream ended before its answer did
  upstream_invalid: { status: 502, type: 'api_error', retryable: false }, // an answer that can't be passed on
  config_invalid: { status: 503, type: 'api_error', retryable: false }, // deployed with a configuration that can't be used
  decision_log_unavailable: { status: 503, type: 'api_error', retryable: true }, // what keeps the records is out of reach
  replay_store_unavailable: { status: 503, type: 'api_error', retryable: true }, // what keeps those records is out of reach
  cache_unavailable: { status: 503, type: 'api_error', retryable: true }, // what keeps cached answers is out of reach
  config_unavailable: { status: 503, type: 'api_error', retryable: true }, // documents of the configuration are out of reach
  fleet_unavailable: { status: 503, type: 'api_error', retryable: true }, // an operator's order could not reach the fleet's state
  key_check_unavailable: { status: 503, type: 'api_error', retryable: true }, // no service can say whether the key is good
  overloaded: { status: 503, type: 'overloaded_error', retryable: true }, // the router has too much to do for this request
  no_worker: { status: 503, type: 'overloaded_error', retryable: true }, // the model is known, no worker can take it now
  shutting_down: { status: 503, type: 'overloaded_error', retryable: true }, // SIGTERM received, finishing streams only
  upstream_timeout: { status: 504, type: 'timeout_error', retryable: true }, // a worker took longer than a timeout allows
} as const satisfies Record<string, ErrorCode>

export type ErrorCodeName = keyof typeof ERROR_CODES
