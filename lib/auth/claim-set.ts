import { NatsError } from '../errors.ts'

/** Refuses credentials; `reason` is for the log of the operator, the client gets `Authorization Violation`. */
export function refusal (reason: string): NatsError {
  return new NatsError('NATS_ERR_AUTHORIZATION', reason)
}

function isObject (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isTexts (value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

/**
 * An object of a JWT's claims, read as Go's encoding/json does, which decides what a JWT means to nats-server: names in
 * any case, null as absent, unknown names ignored, a value of the wrong type an error.
 */
export class ClaimSet {
  private readonly path: string
  private readonly values = new Map<string, unknown>()

  /** @throws {NatsError} where `value` is no object; null is an empty one */
  constructor (value: unknown, path = '') {
    this.path = path
    if (value === null || value === undefined) return
    if (!isObject(value)) throw refusal(`${path === '' ? 'the JWT' : path} is no object`)
    for (const [name, item] of Object.entries(value)) {
      if (item !== null) this.values.set(name.toLowerCase(), item)
    }
  }

  private at (name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`
  }

  private wrong (name: string, allowed: string): NatsError {
    return refusal(`${this.at(name)} is no ${allowed}`)
  }

  has (name: string): boolean {
    return this.values.has(name)
  }

  text (name: string): string {
    const value = this.values.get(name) ?? ''
    if (typeof value !== 'string') throw this.wrong(name, 'string')
    return value
  }

  integer (name: string, absent = 0): number {
    const value = this.values.get(name) ?? absent
    if (typeof value !== 'number' || !Number.isInteger(value)) throw this.wrong(name, 'whole number')
    return value
  }

  flag (name: string): boolean {
    const value = this.values.get(name) ?? false
    if (typeof value !== 'boolean') throw this.wrong(name, 'boolean')
    return value
  }

  texts (name: string): string[] {
    const value = this.values.get(name) ?? []
    if (!isTexts(value)) throw this.wrong(name, 'list of strings')
    return value
  }

  isText (name: string): boolean {
    return typeof this.values.get(name) === 'string'
  }

  list (name: string): unknown[] {
    const value = this.values.get(name) ?? []
    if (!Array.isArray(value)) throw this.wrong(name, 'list')
    return value
  }

  set (name: string): ClaimSet {
    return new ClaimSet(this.values.get(name), this.at(name))
  }

  /** An object in a list. */
  item (name: string, i: number): ClaimSet {
    return new ClaimSet(this.list(name)[i], this.at(`${name}[${i}]`))
  }

  sets (name: string): ClaimSet[] {
    return this.list(name).map((_, i) => this.item(name, i))
  }

  /** An object whose names are data, such as public keys, with a whole number each. */
  numbers (name: string): Map<string, number> {
    const value = this.values.get(name) ?? {}
    if (!isObject(value)) throw this.wrong(name, 'object')
    const numbers = new Map<string, number>()
    for (const [key, number] of Object.entries(value)) {
      if (typeof number !== 'number' || !Number.isInteger(number)) throw this.wrong(`${name}.${key}`, 'whole number')
      numbers.set(key, number)
    }
    return numbers
  }
}
