// Calls that go through a service or VPC binding where one is named, and straight to their address where none is.

import type { Platform } from '../platform.ts'
import type { ServicePlatform } from './json-service.ts'

export type BoundPlatform = ServicePlatform & Pick<Platform, 'binding'>

/** Where there is no binding of that name every call fails, as if nobody were there. */
export function serviceThrough(platform: BoundPlatform, name: string | null): ServicePlatform {
  if (name === null) return platform
  return {
    now: () => platform.now(),
    after: (delayMs, task) => platform.after(delayMs, task),
    classifySendError: (error) => platform.classifySendError(error),
    async send(url, { method, headers, body, signal }) {
      const fetcher = platform.binding(name)
      if (fetcher === null) throw new Error(`no binding named ${name}`)
      return fetcher.fetch(new Request(url, { method, headers, body, signal, redirect: 'manual' }))
    },
  }
}
