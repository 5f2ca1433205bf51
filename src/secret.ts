// A value that must not be told: a key, a password, an address that may hold one. Whatever prints, joins or serialises it
// gets three stars; who needs it says so, by `reveal`.

/** What stands in for a secret wherever a configuration is shown. */
export const HIDDEN = '***'

/** What Node, Bun, Deno and workerd ask an object that is printed. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom')
const DENO_INSPECT = Symbol.for('Deno.customInspect')

export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The value itself, for who sends it or takes its digest. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return HIDDEN
  }

  toJSON(): string {
    return HIDDEN
  }

  [INSPECT](): string {
    return HIDDEN
  }

  [DENO_INSPECT](): string {
    return HIDDEN
  }
}

export function toSecret(value: string | null | undefined): Secret | null {
  return value === null || value === undefined ? null : new Secret(value)
}

export function toSecrets(values: Readonly<Record<string, string>>): Readonly<Record<string, Secret>> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, new Secret(value)]))
}

export function revealAll(secrets: Readonly<Record<string, Secret>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(secrets).map(([name, secret]) => [name, secret.reveal()]))
}

/** Whether two settings say the same, secrets included. */
export function equalSettings(one: unknown, other: unknown): boolean {
  return identityOf(one) === identityOf(other)
}

/** Text that is the same for equal settings and for no others. It holds secrets: for comparing and for maps' keys alone. */
export function identityOf(settings: unknown): string {
  return JSON.stringify(settings, function reveal(this: Readonly<Record<string, unknown>>, key, value: unknown) {
    // What stands here went through `toJSON`; what it was made from did not.
    const original = this[key]
    return original instanceof Secret ? original.reveal() : value
  })
}

/** A copy in which every secret is what `replace` makes of it. */
export async function replaceSecretValues(
  value: unknown,
  replace: (secret: string) => Promise<string>,
): Promise<unknown> {
  if (value instanceof Secret) return replace(value.reveal())
  if (Array.isArray(value)) return Promise.all(value.map((item) => replaceSecretValues(item, replace)))
  // Classes, sets and functions hold none of a configuration's secrets.
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value
  const entries = Object.entries(value).map(async ([key, item]) => {
    return [key, await replaceSecretValues(item, replace)] as const
  })
  return Object.fromEntries(await Promise.all(entries))
}
