// Options that take values of a client: `tenants/${username}/`.

const placeholder = /\$\{([^}]*)\}/

/** Literal text and names of placeholders, in turn; both ends are text. */
function partsOf (template: string): string[] {
  return template.split(placeholder)
}

/** What is wrong with the placeholders of a template; null when nothing is. */
export function checkPlaceholders (template: string, known: readonly string[]): string | null {
  const parts = partsOf(template)
  for (const [i, part] of parts.entries()) {
    if (i % 2 === 1) {
      if (!known.includes(part)) return `an unknown placeholder \${${part}}`
    } else if (part.includes('${')) {
      return 'an open placeholder'
    } else if (i > 0 && part === '' && i < parts.length - 1) {
      return 'nothing between two placeholders'
    } else if (i > 0 && part.startsWith('%')) {
      return 'a % behind a placeholder'
    }
  }
  return null
}

/** The template with something in the place of each placeholder. */
export function withoutPlaceholders (template: string): string {
  return partsOf(template).map((part, i) => i % 2 === 1 ? 'x' : part).join('')
}

function percentEncoded (character: string): string {
  return Array.from(Buffer.from(character), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')
}

/** A value as part of one topic level, without a character that ends it. */
function encode (value: string, end: string | undefined): string {
  let encoded = ''
  for (const character of value) {
    const isUnsafe = /[%/+#\p{Cc}]/u.test(character) || character === end || (character === '$' && encoded === '')
    encoded += isUnsafe ? percentEncoded(character) : character
  }
  return encoded
}

/**
 * The template with the values. What would be another level, a wildcard, a control character or the start of `$SYS` in a
 * value is percent-encoded, and so is what follows the value in the template: no two clients whose values differ get the
 * same text.
 *
 * @param template one that `checkPlaceholders` has passed
 * @param values well-formed strings
 * @returns null when a value is empty: it would give what others have
 */
export function fillPlaceholders<T extends object> (template: string, values: T): string | null {
  const parts = partsOf(template)
  let filled = parts[0] as string
  for (let i = 1; i < parts.length; i += 2) {
    const value = String(values[parts[i] as keyof T])
    if (value === '') return null
    const between = parts[i + 1] as string
    const [end] = i + 2 < parts.length ? between : ''
    filled += encode(value, end) + between
  }
  return filled
}
