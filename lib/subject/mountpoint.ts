// Placeholders of the option `mountpoint`.

/** What a mountpoint may name of a client. */
export interface MountpointValues {
  readonly username: string
  readonly clientid: string
  readonly name: string
  readonly host: string
}

const placeholder = /\$\{([^}]*)\}/g
const known: ReadonlySet<string> = new Set<keyof MountpointValues>(['username', 'clientid', 'name', 'host'])

/**
 * What is wrong with a mountpoint; null when nothing is. It ends with `/`: `${username}` without one would put the topic
 * `bc` of user `a` and the topic `c` of user `ab` into one place.
 */
export function checkMountpoint (template: string): string | null {
  if (template === '') return null
  for (const [, name] of template.matchAll(placeholder)) {
    if (!known.has(name as string)) return `no placeholder \${${name}}`
  }
  const fixed = template.replace(placeholder, 'x')
  if (!fixed.endsWith('/')) return 'no / at its end'
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return /[+#\x00-\x1f\x7f]|\$\{/.test(fixed) ? 'a wildcard, a control character or an open placeholder' : null
}

/** A value as a part of one topic level, and of none but its own. */
function encode (value: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is escaped
  return value.replace(/[%/+#\x00-\x1f\x7f]|^\$/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
}

/**
 * The topic prefix of a client. What would be another level, a wildcard, a control character or the start of `$SYS` in
 * a value is percent-encoded.
 *
 * @returns null when a value is empty: such clients would share a prefix
 */
export function mountpointOf (template: string, values: MountpointValues): string | null {
  let isComplete = true
  const mountpoint = template.replace(placeholder, (_, name: string) => {
    const value = values[name as keyof MountpointValues]
    if (value === '') isComplete = false
    return encode(value)
  })
  return isComplete ? mountpoint : null
}
