// `authz`: the roles of whoever calls: of the tenant whose key came with the request, or of a user and groups that a
// proxy in front of the router vouches for in headers.

import type { EdgeSignal, RequestView } from './signal.ts'

export interface AuthzSubject {
  readonly kind: 'Tenant' | 'User' | 'Group'
  readonly name: string
}

export interface AuthzRule {
  readonly name: string
  /** What conditions name. */
  readonly role: string
  readonly subjects: readonly AuthzSubject[]
}

const USER_HEADER = 'x-authz-user-id'
const GROUPS_HEADER = 'x-authz-user-groups'

/** One for each role; several bindings may give the same. */
export function authzSignal(role: string, bindings: readonly AuthzRule[]): EdgeSignal {
  return {
    family: 'authz',
    name: role,
    read(request) {
      const found = bindings.find(({ subjects }) => subjects.some((subject) => isMeant(subject, request)))
      if (found === undefined) return { kind: 'not_matched', because: `no binding gives it to this caller` }
      return { kind: 'matched', confidence: 1, because: `by the binding ${JSON.stringify(found.name)}` }
    },
  }
}

function isMeant({ kind, name }: AuthzSubject, { tenant, header }: RequestView): boolean {
  if (kind === 'Tenant') return tenant?.name === name
  if (kind === 'User') return header(USER_HEADER) === name
  const groups = header(GROUPS_HEADER) ?? ''
  return groups.split(',').some((group) => group.trim() === name)
}
