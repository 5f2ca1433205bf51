// The FleetStore contract over the real objects: the isolate talks to one replica, `elsewhere` to another.

import { runDurableObjectAlarm } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { createDurableFleetStore, type FleetStub } from '../../src/store/durable-object.ts'
import { fleetStoreConformance } from '../conformance/fleet-store.ts'
import { advance, fleetObject, useFleet } from './rig.ts'

useFleet()

let pools = 0

fleetStoreConformance('durable object', async () => {
  pools += 1
  const pool = `conformance-${pools}`
  const namespace = (name: string) => env.FLEET.get(env.FLEET.idFromName(name)) as unknown as FleetStub
  return {
    store: createDurableFleetStore({ namespace, pool, replica: () => 0 }),
    elsewhere: createDurableFleetStore({ namespace, pool, replica: () => 1 }),
    now: () => Date.now(),
    advance,
    async probeAgain() {
      advance(200)
      await runDurableObjectAlarm(fleetObject(`${pool}/root`))
    },
  }
})
