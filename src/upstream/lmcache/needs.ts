// What a policy wants of LMCache, as the configuration has it: this folder knows no policy.

import type { Config } from '../../config/config.ts'

export type LmcacheNeeds = NonNullable<Config['policy']['needs']['lmcache']>

export type LmcacheLookupNeeds = NonNullable<LmcacheNeeds['lookup']>
