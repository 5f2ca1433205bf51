// What `init` writes: configurations that load as they stand, and say what else there is.

const MINIMAL = `# A router in front of vLLM servers. \`vllm-edge-router validate\` checks this file, \`vllm-edge-router serve\` runs it.
# Values can come from the environment: \${NAME}, or \${NAME:-default}.

workers: # one entry for each vLLM server; models are asked for there unless they are listed
  - url: http://127.0.0.1:8000
  # - url: http://127.0.0.1:8001
  #   models: [llama-3.1-8b]
  #   api_key: \${WORKER_KEY}

policy: round_robin # or power_of_two, random, least_load, consistent_hash, cache_aware

# host: 0.0.0.0 # 127.0.0.1 unless it says otherwise: this machine alone
# port: 3001

# inbound_api_key: \${ROUTER_KEY} # callers then need it
# admin_api_key: \${ADMIN_KEY}   # opens /admin to other machines

# model_rules: # names that callers know
#   - match: gpt-4o
#     rewrite: llama-3.1-8b
`

const DECISIONS = `# A router that chooses the model by what is asked. \`vllm-edge-router validate\` checks this file, \`serve\` runs it.

workers:
  - url: http://127.0.0.1:8000
    models: [qwen3-32b]
  - url: http://127.0.0.1:8001
    models: [llama-3.1-8b]

auto_models: [auto] # a request for \`auto\` is decided on; decide_on: all does so for every request
default_model: llama-3.1-8b # when no decision takes it, or its models have no worker

models:
  - name: qwen3-32b
    reasoning_family: qwen3 # how it is told to reason

signals: # what decisions can ask about
  keywords:
    - name: math_keywords
      operator: OR
      keywords: [calculate, equation, integral, theorem]
    - name: code_keywords
      operator: OR
      keywords: [function, compile, stack trace, unit test]
  context:
    - name: long
      min_tokens: 16K

decisions: # of those that hold the one of the highest priority
  - name: math_route
    description: Route math queries with reasoning
    priority: 100
    rules:
      operator: OR
      conditions:
        - { type: keyword, name: math_keywords }
    modelRefs:
      - model: qwen3-32b
        use_reasoning: true
    plugins:
      - type: router_replay # records of these requests, at /v1/router_replay
        configuration:
          enabled: true
          max_records: 200
          capture_request_body: false

  - name: code_route
    description: Code, and what is long
    priority: 90
    rules:
      operator: OR
      conditions:
        - { type: keyword, name: code_keywords }
        - { type: context, name: long }
    modelRefs:
      - model: qwen3-32b
    plugins:
      - type: system_prompt
        configuration:
          system_prompt: Answer with code first, then explain it.
          mode: insert

  - name: general_route
    description: Everything else
    priority: 10
    modelRefs:
      - model: llama-3.1-8b
`

export const TEMPLATES: Readonly<Record<string, string>> = { minimal: MINIMAL, decisions: DECISIONS }
