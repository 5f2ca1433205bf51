// The fault table: rows that other suites prove, as they need what a router process does not show: objects that are put
// away in the middle, buckets that fail, clocks that go back.

import type { ListedRow } from './fault-row.ts'

const NO_WORKER = { retried: '–', breaker: '–' } as const

export const LISTED_ROWS: readonly ListedRow[] = [
  {
    id: 'F41',
    fault: 'a client reads slowly, or stops',
    client: 'every byte, at its own pace',
    record: 'stream end `complete`; the idle timeout waits with the client',
    retried: 'no',
    breaker: 'a success',
    proof: {
      file: 'test/conformance/http-streams.ts',
      title: 'a client that stops reading stops the worker, and loses nothing',
    },
  },
  {
    id: 'F51',
    fault: 'Redis hangs',
    client: 'nothing',
    record: 'each process goes by what it knew, and shares again when Redis goes on',
    ...NO_WORKER,
    proof: {
      file: 'test/http/redis-fleet.test.ts',
      title: 'lose no request while Redis hangs, and share again when it goes on',
    },
  },
  {
    id: 'F51',
    fault: 'Redis is away, and comes back with nothing in it',
    client: 'nothing',
    record: 'the fleet is told to it again',
    ...NO_WORKER,
    proof: {
      file: 'test/http/redis-fleet.test.ts',
      title: 'lose no request while Redis is away and comes back with nothing, and share again then',
    },
  },
  {
    id: 'F53',
    fault: 'a Durable Object is evicted or restarted between two calls',
    client: 'nothing',
    record: 'turns, owners of responses, breakers and drains go on where they were',
    ...NO_WORKER,
    proof: { file: 'test/workerd/fleet.test.ts', title: 'strict turns go on where they were, evicted between any two' },
  },
  {
    id: 'F54',
    fault: 'the objects of the fleet can not be reached',
    client: 'nothing from an isolate that has a copy; 503 `no_worker` from one that never had any',
    record: "the view's age",
    ...NO_WORKER,
    proof: { file: 'test/workerd/router.test.ts', title: 'an isolate that has a copy routes on by it' },
  },
  {
    id: 'F56',
    fault: 'isolates ask one object for turns at the same moment',
    client: 'nothing',
    record: 'each turn once',
    ...NO_WORKER,
    proof: { file: 'test/workerd/router.test.ts', title: 'strict: exact in number when everything comes at once' },
  },
  {
    id: 'F57',
    fault: 'an alarm runs twice',
    client: 'nothing',
    record: 'one round of probes; each decision once in the bucket',
    ...NO_WORKER,
    proof: { file: 'test/workerd/decision-log.test.ts', title: 'is in the bucket once, however often an alarm runs' },
  },
  {
    id: 'F57',
    fault: 'an alarm is lost',
    client: 'nothing',
    record: 'the next sync sets it again',
    ...NO_WORKER,
    proof: { file: 'test/workerd/fleet.test.ts', title: 'that got lost is set again by whoever comes by' },
  },
  {
    id: 'F58',
    fault: 'isolates and objects of two versions run side by side',
    client: 'nothing',
    record: 'what the older one does not know counts as unknown',
    ...NO_WORKER,
    proof: {
      file: 'src/store/older-versions.test.ts',
      title: 'an isolate of the version before is heard and answered',
    },
  },
  {
    id: 'F59',
    fault: 'KV shows an old configuration, or none',
    client: 'keys that were revoked are dead within two and a half seconds all the same',
    record: 'the pointer travels with the fleet, not with KV',
    ...NO_WORKER,
    proof: { file: 'test/workerd/config.test.ts', title: 'that KV does not show yet come from the root' },
  },
  {
    id: 'F60',
    fault: 'the bucket of the decision log fails',
    client: 'nothing',
    record: 'kept and tried again; `/admin/stats`: `failing`, with the lag',
    ...NO_WORKER,
    proof: {
      file: 'test/workerd/decision-log.test.ts',
      title: 'survives a bucket that fails: it is tried again, kept, and told of once',
    },
  },
  {
    id: 'F61',
    fault: 'an isolate vanishes with records that nobody has acknowledged',
    client: 'nothing',
    record: 'what came within the last second at most is lost',
    ...NO_WORKER,
    proof: {
      file: 'test/workerd/decision-log-isolate.test.ts',
      title: 'loses what came within the last second at most',
    },
  },
  {
    id: 'F62',
    fault: 'an isolate ends before its requests have',
    client: 'a connection that breaks',
    record: '`unknown`, once nobody tells of them any more; their load goes with their leases',
    retried: 'no',
    breaker: 'nothing',
    proof: {
      file: 'test/workerd/decision-log.test.ts',
      title: 'are closed as unknown when nobody tells of them any more',
    },
  },
  {
    id: 'F64',
    fault: 'the clock goes back',
    client: 'nothing',
    record: 'no negative ages; believed at the next sync',
    ...NO_WORKER,
    proof: {
      file: 'src/store/fleet-mirror.test.ts',
      title: 'a clock that went back is believed once the store is asked again',
    },
  },
  {
    id: 'F70',
    fault: 'the router is told to stop while it streams',
    client: 'its stream to the end; new requests are refused',
    record: 'as any',
    retried: '–',
    breaker: 'nothing',
    proof: { file: 'test/http/lifecycle.test.ts', title: 'SIGTERM: no new work, while running streams finish whole' },
  },
]
