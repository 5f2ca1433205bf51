// The faults of the simulators, for their help.

/** What `--fault` takes. */
export const FAULT_HELP = `Faults, alone or together in one JSON object (also for POST /sim/faults, which replaces all rules):
  {"refuse":true,"refuse_ms":500}        stop listening; listen again after refuse_ms, or when cleared
  {"hang":true}                          accept, never answer
  {"slow_headers_ms":300}                wait before answering
  {"die_before_headers":true}            reset the connection
  {"die_mid_stream":{"after_events":3,"mode":"rst"}}
      rst                                reset the connection
      fin                                end it without the final chunk
      clean                              end the body properly, without a terminator
      done_without_finish                [DONE] without a finish_reason
      mid_event                          end it inside an event
  {"stall_mid_stream":{"after_events":3,"for_ms":500}}   fall silent; for ever without for_ms
  {"error_in_stream":{"after_events":3,"status":500}}    an error event, then [DONE]
  {"status":503,"retry_after":1}         an error answer
  {"health":503}                         /health and /ping answer so
  {"freeze":true}                        the engine stands still: requests wait, /health says 200
  {"html_200":true}                      a web page with status 200
  {"gzip":true}                          compress, whatever the caller accepts
  {"truncated_json":true}                promise more bytes than are sent, then end the connection
  {"extra_headers":true}                 cookies, a value that is not ASCII, an internal header; or {"name":"value"}
Each can be narrowed with "match" (text in the body), "path" (prefix; without it a rule befalls every POST), "rate"
(share of requests), "times" (expires after so many).`
