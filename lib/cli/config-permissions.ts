import { isFilter } from '../subject/grammar.ts'
import type { ConfigNode } from './config-parser.ts'
import type { ConfigReader } from './config-reader.ts'

/** A subject, with or without wildcards; with a queue (which may have wildcards too) it speaks of that queue group only. */
export interface SubjectRule {
  readonly subject: string
  readonly queue: string | null
}

/** What may be published or subscribed to: what `allow` has (null: everything) except what `deny` has. */
export interface SubjectPermission {
  readonly allow: readonly SubjectRule[] | null
  readonly deny: readonly SubjectRule[]
}

/** How many answers a client may publish to a reply subject it got, and for how many milliseconds; -1 is no limit. */
export interface ResponsePermission {
  readonly max: number
  readonly expires: number
}

export interface Permissions {
  readonly publish: SubjectPermission | null
  readonly subscribe: SubjectPermission | null
  readonly responses: ResponsePermission | null
}

// server/const.go DEFAULT_ALLOW_RESPONSE_MAX_MSGS and DEFAULT_ALLOW_RESPONSE_EXPIRATION.
const defaultResponses: ResponsePermission = { max: 1, expires: 120_000 }

function readRules (reader: ConfigReader, node: ConfigNode | undefined): SubjectRule[] | null {
  const texts = reader.texts(node)
  if (node === undefined || texts === null) return null
  const rules: SubjectRule[] = []
  for (const text of texts) {
    const [subject = '', queue = null, ...rest] = text.split(/[ \t\r\n\f]+/)
    if (isFilter(subject) && queue !== '' && rest.length === 0) rules.push({ subject, queue })
    else reader.wrong(node, 'a subject, or a subject, a blank and a queue group', JSON.stringify(text))
  }
  return rules
}

function readSubjects (reader: ConfigReader, node: ConfigNode | undefined): SubjectPermission | null {
  if (node === undefined) return null
  if (node.kind !== 'block') return { allow: someOf(readRules(reader, node)), deny: [] }
  if (node.value.size === 0) return null
  const at = reader.keys(node.value, '', { allow: [], deny: [] })
  return { allow: someOf(readRules(reader, at.allow)), deny: readRules(reader, at.deny) ?? [] }
}

/** An empty `allow` allows everything in nats-server. */
function someOf (rules: SubjectRule[] | null): SubjectRule[] | null {
  return rules === null || rules.length === 0 ? null : rules
}

function readResponses (reader: ConfigReader, node: ConfigNode | undefined): ResponsePermission | null {
  if (node === undefined) return null
  if (node.kind === 'boolean') return node.value ? defaultResponses : null
  if (node.kind !== 'block') return reader.wrong(node, 'true, false or a block in braces')
  const at = reader.keys(node.value, '', { max: ['max_msgs', 'max_messages', 'max_responses'], expires: ['expiration', 'ttl'] })
  // 0 is the default, negative is no limit (server/opts.go parseAllowResponses).
  const max = reader.integer(at.max) || defaultResponses.max
  const expires = reader.duration(at.expires, 'refuse') || defaultResponses.expires
  return { max: Math.max(max, -1), expires: Math.max(expires, -1) }
}

/** Reads a block of permissions. */
export function readPermissions (reader: ConfigReader, node: ConfigNode | undefined): Permissions | null {
  const block = reader.block(node)
  if (block === null) return null
  const at = reader.keys(block, '', {
    publish: ['pub', 'import'],
    subscribe: ['sub', 'export'],
    allow_responses: ['publish_allow_responses']
  })
  const responses = readResponses(reader, at.allow_responses)
  const publish = readSubjects(reader, at.publish)
  return {
    // Who may answer may publish nothing else, unless rules say so.
    publish: responses === null || publish?.allow ? publish : { allow: [], deny: publish?.deny ?? [] },
    subscribe: readSubjects(reader, at.subscribe),
    responses
  }
}
