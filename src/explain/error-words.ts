// What the router's own error codes mean, as the end of a sentence.

const ERROR_WORDS: Readonly<Record<string, string>> = {
  invalid_json: 'as its body is no JSON object',
  invalid_request: 'as a field that the router reads can not be used',
  invalid_multipart: 'as its form is broken',
  model_required: 'as it names no model and several are on offer',
  model_not_found: 'as no worker serves the model it names',
  tenant_disabled: 'as its tenant is disabled',
  model_not_allowed: 'as its caller may not use the model',
  response_not_found: 'as the stored response it refers to is not known (for this caller)',
  hook_rejected: 'as a hook said no',
  hook_rejected_request: 'as a hook said no',
  hook_failed: 'as a hook that must agree could not be asked',
  rate_limit_exceeded: 'as a limit of its tenant was reached',
  overloaded: 'as the router had too many requests',
  no_worker: 'as no worker could take it',
  shutting_down: 'as the router was shutting down',
  body_too_large: 'as its body is larger than `max_payload_size`',
  unsupported_media_type: 'as its body is not of the type that the route takes',
  request_timeout: 'as its body came too slowly',
  client_closed_request: 'as its client had left',
  invalid_api_key: 'as its key is not one of this router',
  key_check_unavailable: 'as the service that checks keys could not be asked',
  fleet_unavailable: 'as what all routers share could not be asked',
  not_found: 'as there is no such route',
  method_not_allowed: 'as the route does not take that method',
  invalid_path: 'as its path is not in the plain form',
  header_too_large: 'as its headers are too large',
  upstream_tls: 'as the connection to the worker could not be made safe',
  upstream_unreachable: 'as the connection to the worker failed',
  upstream_timeout: 'as the worker took too long',
  upstream_truncated: 'as the stream of the worker ended too early',
  upstream_invalid: 'as the answer of the worker could not be passed on',
  internal_error: 'as the router failed; its log has the request id',
}

export function errorWords(code: string): string {
  return Object.hasOwn(ERROR_WORDS, code) ? (ERROR_WORDS[code] ?? '') : 'a code that has no words here'
}
