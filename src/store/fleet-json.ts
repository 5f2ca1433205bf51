// Reports and snapshots as JSON, their maps included.

/** Stands for a map; no object that is sent has a key like it. */
const MAP = '$map'

export function toFleetJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (part instanceof Map ? { [MAP]: [...part] } : part))
}

/** What `toFleetJson` wrote; who reads it knows what that was. */
export function fromFleetJson(text: string): unknown {
  return JSON.parse(text, (_, part: unknown) => (isMap(part) ? new Map(part[MAP]) : part))
}

function isMap(part: unknown): part is { readonly [MAP]: readonly (readonly [unknown, unknown])[] } {
  return typeof part === 'object' && part !== null && MAP in part && Array.isArray(part[MAP])
}
