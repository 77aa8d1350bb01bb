import { decodeText, encodeText } from '../wire/text.ts'

/** Pairs of type and value that stand together (RFC 4514 relativeDistinguishedName); most have one. */
export type RelativeName = readonly (readonly [type: string, value: string])[]

/** Relative names, the most particular first, as RFC 4514 writes them. */
export type DistinguishedName = readonly RelativeName[]

interface Piece {
  readonly text: string
  /** `=`, `+` or `,`, or nothing at the end. */
  readonly end: string
}

/** Cuts at separators that are not escaped, and takes escapes away, which may be of bytes; null where one is none. */
function cut (text: string): Piece[] | null {
  const bytes = encodeText(text)
  const pieces: Piece[] = []
  let piece = ''
  let blanks = 0
  const finish = (end: string): void => {
    const whole = piece.slice(0, piece.length - blanks)
    pieces.push({ text: decodeText(whole) ?? whole, end })
    piece = ''
    blanks = 0
  }
  for (let i = 0; i < bytes.length; i++) {
    const letter = bytes.charAt(i)
    if (letter === '\\') {
      const [escape] = /^\\(?:[ "#+,;<=>\\]|[0-9a-fA-F]{2})/.exec(bytes.slice(i, i + 3)) ?? []
      if (escape === undefined) return null
      piece += escape.length === 3 ? Buffer.from(escape.slice(1), 'hex').toString('latin1') : escape.slice(1)
      blanks = 0
      i += escape.length - 1
    } else if (letter === '=' || letter === '+' || letter === ',') {
      finish(letter)
    } else if (letter !== ' ' || piece !== '') {
      blanks = letter === ' ' ? blanks + 1 : 0
      piece += letter
    }
  }
  finish('')
  return pieces
}

/** Reads a name as RFC 4514 writes it: `CN=a,OU=b+OU=c,O=d`; null where it is none (internal/ldap ParseDN). */
export function parseName (text: string): DistinguishedName | null {
  const pieces = cut(text)
  if (pieces === null) return null
  const name: (readonly [string, string])[][] = [[]]
  for (let i = 0; i < pieces.length; i += 2) {
    const type = pieces[i]
    const value = pieces[i + 1]
    // A value that begins with # is BER, which nats-server does not know either.
    if (type?.end !== '=' || type.text === '' || value === undefined || value.end === '=' || value.text.startsWith('#')) return null
    name.at(-1)?.push([type.text, value.text])
    if (value.end === ',') name.push([])
  }
  return name
}

function has (name: RelativeName, [type, value]: readonly [string, string]): boolean {
  return name.some(([otherType, otherValue]) => otherType.toUpperCase() === type.toUpperCase() && otherValue === value)
}

function isSameRelative (one: RelativeName, other: RelativeName): boolean {
  return one.length === other.length && one.every((pair) => has(other, pair)) && other.every((pair) => has(one, pair))
}

/** Whether two names are the same, each part in its place (RFC 4517 4.2.15). */
export function isSameName (one: DistinguishedName, other: DistinguishedName): boolean {
  return one.length === other.length && one.every((part, i) => isSameRelative(part, other[i] as RelativeName))
}

/** Whether two names have the same parts in any order. */
export function hasSameParts (one: DistinguishedName, other: DistinguishedName): boolean {
  const left = [...other]
  return one.length === other.length && one.every((part) => {
    const i = left.findIndex((each) => isSameRelative(part, each))
    if (i !== -1) left.splice(i, 1)
    return i !== -1
  })
}
