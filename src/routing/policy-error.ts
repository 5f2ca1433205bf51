// The error for a policy that broke its contract: a defect of the policy's author, whoever called the router.
// Neither a caller's mistake nor a worker's failure, so it is no `RouterError`: it surfaces as an internal error.

/** A policy threw, answered something that is no verdict, or can't be registered. The message names the policy. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError'
  /** The name of the policy at fault. */
  readonly policy: string

  constructor(policy: string, problem: string, options?: ErrorOptions) {
    super(`Policy \`${policy}\` ${problem}`, options)
    this.policy = policy
  }
}
