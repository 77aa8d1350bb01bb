import type { PermissionsOption, SubjectPermissionOption } from '../options/authorization.ts'
import { isFilter } from '../subject/grammar.ts'
import type { ConfigNode } from './config-parser.ts'
import type { ConfigReader } from './config-reader.ts'

type Rules = readonly string[]

/** @param queues whether an entry may have a queue group */
function readRules (reader: ConfigReader, node: ConfigNode | undefined, queues: boolean): Rules | null {
  const texts = reader.texts(node)
  if (node === undefined || texts === null) return null
  for (const text of texts) {
    const [subject = '', queue = null, ...rest] = text.split(/[ \t\r\n\f]+/)
    const isRule = isFilter(subject) && queue !== '' && rest.length === 0 && (queues || queue === null)
    if (!isRule) reader.wrong(node, queues ? 'a subject, or a subject, a blank and a queue group' : 'a subject', JSON.stringify(text))
  }
  return texts
}

/** An empty `allow` allows everything in nats-server, and nothing in the option. */
function someOf (rules: Rules | null): Rules | null {
  return rules === null || rules.length === 0 ? null : rules
}

function readSubjects (reader: ConfigReader, node: ConfigNode | undefined, queues: boolean): SubjectPermissionOption | null {
  if (node === undefined) return null
  if (node.kind !== 'block') return someOf(readRules(reader, node, queues))
  const at = reader.keys(node.value, '', { allow: [], deny: [] })
  const allow = someOf(readRules(reader, at.allow, queues))
  const deny = readRules(reader, at.deny, queues)
  return allow === null && deny === null ? null : { allow, deny }
}

function readResponses (reader: ConfigReader, node: ConfigNode | undefined): PermissionsOption['responses'] {
  if (node === undefined) return null
  if (node.kind === 'boolean') return node.value
  if (node.kind !== 'block') return reader.wrong(node, 'true, false or a block in braces')
  const at = reader.keys(node.value, '', { max: ['max_msgs', 'max_messages', 'max_responses'], expires: ['expiration', 'ttl'] })
  const [max, expires] = [reader.integer(at.max), reader.duration(at.expires, 'refuse')]
  return { max: max === null ? null : Math.max(max, -1), expires: expires === null ? null : Math.max(expires, -1) }
}

/** Reads a block of permissions. */
export function readPermissions (reader: ConfigReader, node: ConfigNode | undefined): PermissionsOption | null {
  const block = reader.block(node)
  if (block === null) return null
  const at = reader.keys(block, '', {
    publish: ['pub', 'import'],
    subscribe: ['sub', 'export'],
    allow_responses: ['publish_allow_responses']
  })
  return {
    publish: readSubjects(reader, at.publish, false),
    subscribe: readSubjects(reader, at.subscribe, true),
    responses: readResponses(reader, at.allow_responses) ?? null
  }
}
