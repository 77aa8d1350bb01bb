import { BlockList, isIP } from 'node:net'
import { type ClaimSet, refusal } from './claim-set.ts'
import type { Rights } from './permissions.ts'
import { parseRule, RuleSet, type SubjectRule } from './subject-rules.ts'

/** Subjects as the JWT has them, before templates are filled in. */
export interface SubjectLists {
  readonly allow: readonly string[]
  readonly deny: readonly string[]
}

export interface ClaimedPermissions {
  readonly publish: SubjectLists
  readonly subscribe: SubjectLists
  readonly responses: Rights['responses']
}

/** Seconds of the day. */
interface TimeRange {
  readonly start: number
  readonly end: number
}

/** What a user JWT, or the template of a signing key, allows and limits (jwt's UserPermissionLimits); -1 is no limit. */
export interface UserLimits {
  readonly permissions: ClaimedPermissions
  readonly subscriptions: number
  readonly payload: number
  readonly data: number
  /** Null is any address. */
  readonly source: BlockList | null
  readonly times: readonly TimeRange[]
  /** Undefined is that of the server. */
  readonly timeZone: string | undefined
  readonly bearer: boolean
  readonly proxyRequired: boolean
  readonly connectionTypes: readonly string[]
}

// server/const.go DEFAULT_ALLOW_RESPONSE_MAX_MSGS and DEFAULT_ALLOW_RESPONSE_EXPIRATION.
export const defaultResponses = { max: 1, expires: 120_000 } as const

function readLists (claims: ClaimSet): SubjectLists {
  return { allow: claims.texts('allow'), deny: claims.texts('deny') }
}

export function readPermissions (claims: ClaimSet): ClaimedPermissions {
  const responses = claims.set('resp')
  return {
    publish: readLists(claims.set('pub')),
    subscribe: readLists(claims.set('sub')),
    // The time is in nanoseconds; 0 is the default.
    responses: claims.has('resp')
      ? { max: responses.integer('max') || defaultResponses.max, expires: responses.integer('ttl') / 1e6 || defaultResponses.expires }
      : null
  }
}

function parseRules (list: readonly string[], queues: boolean): SubjectRule[] {
  return list.map((text) => {
    const rule = parseRule(text)
    if (rule === null || (rule.queue !== null && !queues)) throw refusal(`the JWT has the invalid permission ${JSON.stringify(text)}`)
    return rule
  })
}

function ruleSet (list: readonly string[], queues: boolean): RuleSet | null {
  return list.length === 0 ? null : new RuleSet(parseRules(list, queues))
}

/** The rights that permissions are; null where they are none (server/accounts.go buildPermissionsFromJwt). */
export function rightsOf ({ publish, subscribe, responses }: ClaimedPermissions): Rights | null {
  const rights: Rights = {
    // Who may answer may publish nothing else, unless rules say so.
    publish: { allow: ruleSet(publish.allow, false) ?? (responses === null ? null : new RuleSet([])), deny: ruleSet(publish.deny, false) },
    subscribe: { allow: ruleSet(subscribe.allow, true), deny: ruleSet(subscribe.deny, true) },
    responses
  }
  const { publish: out, subscribe: into } = rights
  return out.allow === null && out.deny === null && into.allow === null && into.deny === null ? null : rights
}

/** The networks of the claim `src`: a list, or a text with commas. */
function readSource (claims: ClaimSet): BlockList | null {
  const networks = claims.isText('src') ? claims.text('src').split(',') : claims.texts('src')
  if (networks.length === 0) return null
  const list = new BlockList()
  for (const network of networks) {
    const [, address = '', prefix = ''] = /^([^/]+)\/(\d{1,3})$/.exec(network.trim()) ?? []
    const family = isIP(address)
    if (family === 0 || Number(prefix) > (family === 4 ? 32 : 128)) throw refusal(`the JWT has the invalid network ${JSON.stringify(network)}`)
    list.addSubnet(address, Number(prefix), family === 4 ? 'ipv4' : 'ipv6')
  }
  return list
}

function readTime (claims: ClaimSet, name: string): number {
  const [, hours, minutes, seconds] = /^(\d{1,2}):(\d\d):(\d\d)$/.exec(claims.text(name)) ?? []
  if (hours === undefined || Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 59) throw refusal(`the JWT has an invalid time range: no ${name} like 09:30:00`)
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
}

function readTimeZone (claims: ClaimSet): string | undefined {
  const zone = claims.text('times_location')
  if (zone === '') return undefined
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone
  } catch {
    throw refusal(`the JWT has the unknown time zone ${JSON.stringify(zone)}`)
  }
}

/**
 * @param absent what a limit is that the claims lack: 0 in the JWT of a user, -1 in a template
 * @throws {NatsError} NATS_ERR_AUTHORIZATION where anything is invalid
 */
export function readUserLimits (claims: ClaimSet, absent: 0 | -1): UserLimits {
  return {
    permissions: readPermissions(claims),
    subscriptions: claims.integer('subs', absent),
    payload: claims.integer('payload', absent),
    data: claims.integer('data', absent),
    source: readSource(claims),
    times: claims.sets('times').map((range) => ({ start: readTime(range, 'start'), end: readTime(range, 'end') })),
    timeZone: readTimeZone(claims),
    bearer: claims.flag('bearer_token'),
    proxyRequired: claims.flag('proxy_required'),
    connectionTypes: claims.texts('allowed_connection_types').map((type) => type.toUpperCase())
  }
}

/** Whether nothing is allowed or limited, as a user JWT has to be whose signing key has a template (jwt's HasEmptyPermissions). */
export function isEmpty (limits: UserLimits): boolean {
  const { permissions: { publish, subscribe, responses } } = limits
  return [publish.allow, publish.deny, subscribe.allow, subscribe.deny, limits.times, limits.connectionTypes].every((list) => list.length === 0) &&
    limits.subscriptions === 0 && limits.payload === 0 && limits.data === 0 && limits.source === null && limits.timeZone === undefined &&
    responses === null && !limits.bearer && !limits.proxyRequired
}

/** Whether a client at this address may connect. @param address without `::ffff:` */
export function admitsAddress (limits: UserLimits, address: string): boolean {
  if (limits.source === null) return true
  const family = isIP(address)
  return family !== 0 && limits.source.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

/** Milliseconds from `now` that the times of the day leave: Infinity without such times, null outside them (server/jwt.go validateTimes). */
export function timeLeft (limits: UserLimits, now: number): number | null {
  if (limits.times.length === 0) return Infinity
  const clock = new Intl.DateTimeFormat('en', { timeZone: limits.timeZone, hourCycle: 'h23', hour: 'numeric', minute: 'numeric', second: 'numeric' })
  const part = new Map(clock.formatToParts(now).map(({ type, value }) => [type, Number(value)]))
  const at = (part.get('hour') ?? 0) * 3600 + (part.get('minute') ?? 0) * 60 + (part.get('second') ?? 0) + (now % 1000) / 1000
  let longest: number | null = null
  for (const { start, end } of limits.times) {
    // A range whose start is later than its end goes over midnight.
    const inside = start > end ? at > start || at < end : at > start && at < end
    if (inside) longest = Math.max(longest ?? 0, (at < end ? end - at : end + 86_400 - at) * 1000)
  }
  return longest
}
