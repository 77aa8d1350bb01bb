import { kindOf, OptionReader, wrongOption } from './option-reader.ts'
import type { Rights } from './permissions.ts'
import { parseRule, RuleSet } from './subject-rules.ts'
import { defaultResponses } from './user-limits.ts'

interface Lists {
  readonly allow: RuleSet | null
  readonly deny: RuleSet | null
}

function readList (value: unknown, path: string, queues: boolean): RuleSet | null {
  if (value === undefined) return null
  const list = Array.isArray(value) ? value : [value]
  return new RuleSet(list.map((item: unknown, i) => {
    const rule = typeof item === 'string' ? parseRule(item) : null
    if (rule !== null && (queues || rule.queue === null)) return rule
    throw wrongOption(Array.isArray(value) ? `${path}[${i}]` : path, typeof item === 'string' ? JSON.stringify(item) : kindOf(item),
      queues ? 'a subject, or a subject, a blank and a queue group' : 'a subject')
  }))
}

function readLists (value: unknown, path: string, queues: boolean): Lists {
  if (typeof value !== 'object' || Array.isArray(value)) return { allow: readList(value, path, queues), deny: null }
  const reader = new OptionReader(value, path, ['allow', 'deny'])
  return {
    allow: readList(reader.get('allow'), reader.at('allow'), queues),
    deny: readList(reader.get('deny'), reader.at('deny'), queues)
  }
}

function readResponses (reader: OptionReader): Rights['responses'] {
  const value = reader.get('responses')
  if (value === undefined || value === false) return null
  if (value === true) return defaultResponses
  const block = new OptionReader(value, reader.at('responses'), ['max', 'expires'])
  return {
    max: block.integer('max', -1) || defaultResponses.max,
    expires: block.integer('expires', -1) || defaultResponses.expires
  }
}

/** Reads permissions; undefined is none. @throws {NatsError} NATS_ERR_OPTION */
export function readRights (value: unknown, path: string): Rights | null {
  if (value === undefined || value === null) return null
  const reader = new OptionReader(value, path, ['publish', 'subscribe', 'responses'])
  const responses = readResponses(reader)
  const publish = readLists(reader.get('publish'), reader.at('publish'), false)
  return {
    // Who may answer may publish nothing else, unless rules say so (server/auth.go validateResponsePermissions).
    publish: { allow: publish.allow ?? (responses === null ? null : new RuleSet([])), deny: publish.deny },
    subscribe: readLists(reader.get('subscribe'), reader.at('subscribe'), true),
    responses
  }
}
