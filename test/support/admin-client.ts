// An operator's client: the admin routes with a key, bodies as JSON or YAML.

import { type Answered, ask } from './ask.ts'

export interface AdminClient {
  get(path: string): Promise<Answered>
  delete(path: string): Promise<Answered>
  /** Without a body when none is given. */
  post(path: string, body?: unknown): Promise<Answered>
  /** A whole configuration: an object as JSON, text as YAML. */
  putConfig(config: object | string, headers?: Readonly<Record<string, string>>): Promise<Answered>
}

/** `url` is asked anew for each call, as a router is started after its tests are registered. */
export function adminClient(url: () => string, key: string | null): AdminClient {
  const auth: Record<string, string> = key === null ? {} : { authorization: `Bearer ${key}` }
  const json = { ...auth, 'content-type': 'application/json' }
  return {
    get: (path) => ask(url() + path, { headers: auth }),
    delete: (path) => ask(url() + path, { method: 'DELETE', headers: auth }),
    post(path, body) {
      if (body === undefined) return ask(url() + path, { method: 'POST', headers: auth })
      return ask(url() + path, { method: 'POST', headers: json, body: JSON.stringify(body) })
    },
    putConfig(config, headers = {}) {
      const isText = typeof config === 'string'
      const type = { 'content-type': isText ? 'application/yaml' : 'application/json' }
      const body = isText ? config : JSON.stringify(config)
      return ask(`${url()}/admin/config`, { method: 'PUT', headers: { ...auth, ...type, ...headers }, body })
    },
  }
}
