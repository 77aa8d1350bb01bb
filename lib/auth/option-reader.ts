import { NatsError } from '../errors.ts'

/** What is wrong with a part of an option; `value` is shown, so it must be no secret. */
export function wrongOption (path: string, value: string, allowed: string): NatsError {
  return new NatsError('NATS_ERR_OPTION', path, value, allowed)
}

/** A public key, unless it is a seed: somebody has taken the one for the other. */
export function shownKey (key: string): string {
  return /^S[A-Z]/.test(key) ? 'a seed' : key
}

/** What a value is, without what may be a secret. */
export function kindOf (value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (value === null || value === undefined) return String(value)
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/**
 * An object of an option, read with checks: TypeScript says what is allowed, but the option may come from JavaScript or
 * from a file. Null is the same as absent.
 */
export class OptionReader {
  readonly path: string
  private readonly values: Map<string, unknown>

  /** @throws {NatsError} NATS_ERR_OPTION where `value` is no object, or has names that do not belong there */
  constructor (value: unknown, path: string, known: readonly string[]) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongOption(path, kindOf(value), 'an object')
    this.path = path
    this.values = new Map(Object.entries(value).filter(([, item]) => item !== null && item !== undefined))
    for (const name of this.values.keys()) {
      if (!known.includes(name)) throw wrongOption(this.at(name), 'unknown', known.join(', '))
    }
  }

  at (name: string): string {
    return `${this.path}.${name}`
  }

  get (name: string): unknown {
    return this.values.get(name)
  }

  has (name: string): boolean {
    return this.values.has(name)
  }

  wrong (name: string, allowed: string): NatsError {
    return wrongOption(this.at(name), kindOf(this.values.get(name)), allowed)
  }

  /** Null where it is absent or empty. */
  text (name: string): string | null {
    const value = this.values.get(name) ?? ''
    if (typeof value !== 'string') throw this.wrong(name, 'a string')
    return value === '' ? null : value
  }

  integer (name: string, low: number): number | null {
    const value = this.values.get(name)
    if (value === undefined) return null
    if (typeof value !== 'number' || !Number.isInteger(value) || value < low) throw wrongOption(this.at(name), String(value), `a whole number from ${low}`)
    return value
  }

  list (name: string): unknown[] {
    const value = this.values.get(name) ?? []
    if (!Array.isArray(value)) throw this.wrong(name, 'a list')
    return value
  }

  texts (name: string): string[] {
    return this.list(name).map((item, i) => {
      if (typeof item !== 'string') throw wrongOption(`${this.at(name)}[${i}]`, kindOf(item), 'a string')
      return item
    })
  }
}
