/** A value of a configuration file that holds no others. */
export type Scalar =
  | { readonly kind: 'string', readonly value: string }
  | { readonly kind: 'integer', readonly value: number }
  | { readonly kind: 'float', readonly value: number }
  | { readonly kind: 'boolean', readonly value: boolean }
  | { readonly kind: 'date', readonly value: Date }

/** What a bare word stands for: a value, a reference to a variable, or nothing valid. */
export type Word = Scalar | { readonly kind: 'variable', readonly name: string } | { readonly kind: 'error', readonly text: string }

const maxInteger = 2n ** 63n - 1n
const booleans: ReadonlyMap<string, boolean> = new Map([['true', true], ['yes', true], ['on', true], ['false', false], ['no', false], ['off', false]])
const escapes: Readonly<Record<string, string>> = { '\\t': '\t', '\\n': '\n', '\\r': '\r', '\\"': '"', '\\\\': '\\' }

const ESCAPE = /(?:\\x[0-9a-fA-F]{2})+|\\[^]/g
const INTEGER = /^(-?\d+)(?:([kmgtpe])(b|ib?)?)?$/i
const NUMBER_WITH_STRAY_SUFFIX = /^-?\d+[kmgtpe][bi]+$/i
const FLOAT = /^-?\d+\.\d+$/
const DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/
const ADDRESS = /^\d+\.\d+\.[\d.:-]*$/
// nats-server takes what begins like a number, a date or an address for one, and refuses it if it goes on differently.
const NEITHER = /^(?:-|\.|\d+[.-])/

/** Replaces the escapes of a quoted or bare string; null where one is unknown. `\xXX` is a byte of UTF-8, as in nats-server. */
export function unescape (text: string): string | null {
  let valid = true
  const result = text.replace(ESCAPE, (escape) => {
    if (escape.startsWith('\\x') && escape.length > 2) return Buffer.from(escape.replaceAll('\\x', ''), 'hex').toString()
    const character = escapes[escape]
    if (character === undefined) valid = false
    return character ?? ''
  })
  return valid ? result : null
}

function integer (shown: string, digits: string, unit: string | undefined, byte: string | undefined): Word {
  const power = unit === undefined ? 0 : 'kmgtpe'.indexOf(unit.toLowerCase()) + 1
  const value = BigInt(digits) * (byte === undefined ? 1000n : 1024n) ** BigInt(power)
  if (value > maxInteger || value < -maxInteger - 1n) return { kind: 'error', text: `the integer ${shown} is out of range` }
  return { kind: 'integer', value: Number(value) }
}

function date (text: string, shown: string): Word {
  const value = new Date(text)
  // Date rolls the 30th of February over.
  if (Number.isNaN(value.getTime()) || value.toISOString() !== text.replace('Z', '.000Z')) return { kind: 'error', text: `there is no date ${shown}` }
  return { kind: 'date', value }
}

/**
 * Reads a bare word, which is what nats-server's lexer makes of its first characters.
 *
 * @param shown what errors call it, where they must not show it
 */
export function readWord (word: string, shown = word): Word {
  if (word.includes('\\') && !NEITHER.test(word)) {
    const value = unescape(word)
    return value === null ? badEscape : { kind: 'string', value }
  }
  const flag = booleans.get(word.toLowerCase())
  if (flag !== undefined) return { kind: 'boolean', value: flag }
  // The only passwords that nats-server lets stand without quotes in spite of their `$`.
  if (word.startsWith('$2a$')) return { kind: 'string', value: word }
  if (word.startsWith('$')) return { kind: 'variable', name: word.slice(1) }
  const [whole, digits, unit, byte] = INTEGER.exec(word) ?? []
  if (whole !== undefined) return integer(shown, String(digits), unit, byte)
  if (NUMBER_WITH_STRAY_SUFFIX.test(word)) return { kind: 'error', text: `${shown} has no size unit: known are k, kb, ki, kib and the same with m, g, t, p, e` }
  if (FLOAT.test(word)) return { kind: 'float', value: Number(word) }
  if (DATE.test(word)) return date(word, shown)
  if (ADDRESS.test(word) || !NEITHER.test(word)) return { kind: 'string', value: word }
  return { kind: 'error', text: `${shown} is no number, date or address: a text that begins like one goes in quotes` }
}

/** What is wrong with a string whose {@link unescape} is null. */
export const badEscape = { kind: 'error', text: 'unknown escape: known are \\xXX, \\t, \\n, \\r, \\" and \\\\' } as const
