// All metrics in one message to a collector.

import type { MetricsPushConfig } from '../../config/config.ts'
import type { Platform } from '../../platform.ts'
import { ROUTER_VERSION } from '../../version.ts'
import type { Family } from '../metrics/metric-store.ts'
import { type MetricTimes, toMetricsJson } from './metrics-json.ts'
import { toMetricsProtobuf } from './metrics-protobuf.ts'
import { postOtlp } from './post-otlp.ts'

export interface MetricMessage extends MetricTimes {
  readonly families: readonly Family[]
  /** Random name of who counted them. */
  readonly instance: string
}

/** Whether the collector took them. Never rejects. */
export function postMetrics(
  push: MetricsPushConfig,
  { families, instance, sinceMs, atMs }: MetricMessage,
  platform: Pick<Platform, 'after' | 'send'>,
): Promise<boolean> {
  const resource = {
    'service.name': push.serviceName,
    'service.version': ROUTER_VERSION,
    'service.instance.id': instance,
  }
  const encode = push.protocol === 'http/json' ? toMetricsJson : toMetricsProtobuf
  return postOtlp(push, encode(families, resource, { sinceMs, atMs }), platform)
}
