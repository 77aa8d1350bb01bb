// Options that take values of a client: `tenants/${username}/`.

const placeholder = /\$\{([^}]*)\}/g

/** What is wrong with the placeholders of a template; null when nothing is. */
export function checkPlaceholders (template: string, known: readonly string[]): string | null {
  for (const [, name] of template.matchAll(placeholder)) {
    if (!known.includes(name as string)) return `an unknown placeholder \${${name}}`
  }
  return withoutPlaceholders(template).includes('${') ? 'an open placeholder' : null
}

/** The template with something in the place of each placeholder. */
export function withoutPlaceholders (template: string): string {
  return template.replace(placeholder, 'x')
}

/** A value as part of one topic level. */
function encode (value: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is escaped
  return value.replace(/[%/+#\x00-\x1f\x7f]|^\$/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
}

/**
 * The template with the values. What would be another level, a wildcard, a control character or the start of `$SYS` in a
 * value is percent-encoded, so that no two values give the same text.
 *
 * @returns null when a value is empty: it would give what others have
 */
export function fillPlaceholders<T extends object> (template: string, values: T): string | null {
  let isComplete = true
  const filled = template.replace(placeholder, (_, name: string) => {
    const value = String(values[name as keyof T])
    if (value === '') isComplete = false
    return encode(value)
  })
  return isComplete ? filled : null
}
