// The LimitStore contract over the real objects.

import { env } from 'cloudflare:workers'
import { createDurableLimitStore, type TenantStub } from '../../src/store/durable-limits.ts'
import { limitStoreConformance } from '../conformance/limit-store.ts'
import { advance, useFleet } from './rig.ts'

useFleet()

let pools = 0

limitStoreConformance('durable object', async () => {
  pools += 1
  const namespace = (name: string) => env.TENANTS.get(env.TENANTS.idFromName(name)) as unknown as TenantStub
  const store = () => createDurableLimitStore({ namespace, pool: `limits-${pools}` })
  return { store: store(), elsewhere: store(), advance }
})
