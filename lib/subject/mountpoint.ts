import { checkPlaceholders, fillPlaceholders, withoutPlaceholders } from './placeholders.ts'

/** What a mountpoint may name of a client. */
export interface MountpointValues {
  readonly username: string
  readonly clientid: string
  readonly name: string
  readonly host: string
}

/**
 * What is wrong with a mountpoint; null when nothing is. It ends with `/`: `${username}` without one would put the topic
 * `bc` of user `a` and the topic `c` of user `ab` into one place.
 */
export function checkMountpoint (template: string): string | null {
  if (template === '') return null
  const wrong = checkPlaceholders(template, ['username', 'clientid', 'name', 'host'])
  if (wrong !== null) return wrong
  const fixed = withoutPlaceholders(template)
  if (!fixed.endsWith('/')) return 'no / at its end'
  if (/[+#\p{Cc}\p{Cs}]/u.test(fixed)) return 'a wildcard or a control character'
  return /^\$[^/]*\$\{/.test(template) ? 'a $ before a placeholder, which could become $SYS' : null
}

/** The topic prefix of a client; null when it lacks a value. */
export function mountpointOf (template: string, values: MountpointValues): string | null {
  return fillPlaceholders(template, values)
}
