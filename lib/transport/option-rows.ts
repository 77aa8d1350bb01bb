import { NatsError } from '../errors.ts'
import type { OptionRow } from '../options.ts'

/** What an option may be: in words, and as a test. */
export interface Check {
  readonly allowed: string
  readonly test: (value: unknown) => boolean
}

export const boolean: Check = { allowed: 'true or false', test: (value) => typeof value === 'boolean' }

export function integer (low: number, high: number): Check {
  return {
    allowed: `a whole number from ${low} to ${high}`,
    test: (value) => Number.isInteger(value) && (value as number) >= low && (value as number) <= high
  }
}

export function text (pattern: RegExp, allowed: string): Check {
  return { allowed, test: (value) => typeof value === 'string' && pattern.test(value) }
}

export function listOf (each: Check): Check {
  return { allowed: `an array, each of it ${each.allowed}`, test: (value) => Array.isArray(value) && value.every(each.test) }
}

/** The check for an option that may be left out, for which null stands. */
export function optional (check: Check): Check {
  return { allowed: `null or ${check.allowed}`, test: (value) => value === null || check.test(value) }
}

// Values may be secrets: only short ones of a kind that holds none are told.
function show (value: unknown): string {
  if (typeof value === 'string') return value === '' ? 'empty' : 'a string'
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}

/**
 * Fills in the defaults of an option that has options of its own, and checks every value.
 *
 * @param path the name of the option
 * @throws {NatsError} NATS_ERR_OPTION or NATS_ERR_OPTION_UNKNOWN, naming the option and what is allowed
 */
export function resolveRows (path: string, table: Readonly<Record<string, OptionRow>>, input: unknown): Record<string, unknown> {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw new NatsError('NATS_ERR_OPTION', path, show(input), `an object of ${Object.keys(table).join(', ')}`)
  }
  const given = input as Record<string, unknown>
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(table, name)) throw new NatsError('NATS_ERR_OPTION_UNKNOWN', `${path}.${name}`, Object.keys(table).join(', '))
  }
  const resolved: Record<string, unknown> = {}
  for (const [name, row] of Object.entries(table)) {
    const value = given[name] === undefined ? row.default : given[name]
    if (!row.check.test(value)) throw new NatsError('NATS_ERR_OPTION', `${path}.${name}`, show(value), row.check.allowed)
    resolved[name] = value
  }
  return resolved
}
