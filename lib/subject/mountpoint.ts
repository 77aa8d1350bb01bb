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
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return /[+#\x00-\x1f\x7f]/.test(fixed) ? 'a wildcard or a control character' : null
}

/** The topic prefix of a client; null when it lacks a value. */
export function mountpointOf (template: string, values: MountpointValues): string | null {
  return fillPlaceholders(template, values)
}
