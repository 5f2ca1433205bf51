// What a lookup comes to, whichever of LMCache's control planes was asked.

/** What an instance surely holds in the middle of a prompt. Worth nothing unless it holds what comes before as well. */
export interface MatchedTail {
  readonly instanceId: string
  readonly from: number
  readonly end: number
}

export interface InstanceMatches {
  /** Leading tokens that instances hold, by instance id; only those that hold some. */
  readonly tokensByInstance: ReadonlyMap<string, number>
  /** Of tokens that are not known to follow a beginning there; null where there are none, or nobody can say whose. */
  readonly tail: MatchedTail | null
  /** How many leading tokens anybody was said to hold, together: 0 for a prompt that is not known. */
  readonly knownTokens: number
}
