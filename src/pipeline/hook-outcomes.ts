// What can become of a hook's call, as the header and the record name it. A contract: others build on these words.

export const HOOK_OUTCOMES = [
  'allow',
  'transformed',
  'transform-no-body',
  'rejected',
  'rejected-ignored',
  'unknown',
  'timeout',
  'error',
  'open',
] as const

export type HookOutcome = (typeof HOOK_OUTCOMES)[number]

/** One entry of `x-vllm-router-hooks` and `hooks_ran`: `name:outcome`, and the bare name for `allow`. */
export function toHookEntry(name: string, outcome: HookOutcome): string {
  return outcome === 'allow' ? name : `${name}:${outcome}`
}
