import type { NatsError } from '../errors.ts'
import { refusal } from './claim-set.ts'
import { parseRule } from './subject-rules.ts'
import type { ClaimedPermissions, SubjectLists } from './user-limits.ts'

/** What the templates of a signing key are filled in with. */
export interface TemplateValues {
  readonly name: string
  readonly subject: string
  readonly tags: readonly string[]
  readonly accountName: string
  readonly accountSubject: string
  readonly accountTags: readonly string[]
}

/** Most subjects that a list may come to (server/auth.go maxPermTemplateSubjectExpansions). */
const maxSubjects = 4096

const template = /\{\{([^}]+)\}\}/g

function tagged (tags: readonly string[], name: string): string[] {
  const prefix = `${name.toLowerCase()}:`
  return tags.filter((tag) => tag.startsWith(prefix)).map((tag) => tag.slice(prefix.length))
}

/** The values of what stands between two braces; empty for a tag that is not there. */
function valuesOf (operation: string, values: TemplateValues): string[] {
  switch (operation.toLowerCase()) {
    case 'name()': return [values.name]
    case 'subject()': return [values.subject]
    case 'account-name()': return [values.accountName]
    case 'account-subject()': return [values.accountSubject]
  }
  const [, owner, tag] = /^(tag|account-tag)\((.*)\)$/i.exec(operation) ?? []
  if (owner === undefined || tag === undefined) throw refusal(`the signing key has the unknown template {{${operation}}}`)
  return tagged(owner.toLowerCase() === 'tag' ? values.tags : values.accountTags, tag)
}

function tooMany (): NatsError {
  return refusal(`the templates of the signing key come to more than ${maxSubjects} subjects`)
}

/** Every combination of the values; a template that occurs twice has the same value in both places. */
function expand (text: string, values: TemplateValues): string[] {
  let texts = [text]
  for (const [whole, operation] of new Map(Array.from(text.matchAll(template), ([whole, operation = '']) => [whole, operation.trim()]))) {
    const found = valuesOf(operation, values)
    if (texts.length * found.length > maxSubjects) throw tooMany()
    texts = texts.flatMap((each) => found.map((value) => each.replaceAll(whole, () => value)))
  }
  return texts
}

/**
 * A name or tag is data of who made the JWT: one that is no subject is left out where it would allow something, and
 * refuses the user where it would deny something.
 */
function fill (list: readonly string[], values: TemplateValues, denies: boolean): string[] {
  const filled: string[] = []
  for (const text of list) {
    if (text.search(template) === -1) {
      filled.push(text)
      continue
    }
    const subjects = expand(text, values)
    const valid = subjects.filter((subject) => parseRule(subject)?.queue === null)
    if (denies && (subjects.length === 0 || valid.length < subjects.length)) throw refusal(`the template ${JSON.stringify(text)} comes to no subject`)
    filled.push(...valid)
    if (filled.length > maxSubjects) throw tooMany()
  }
  return filled
}

function fillLists ({ allow, deny }: SubjectLists, values: TemplateValues): SubjectLists {
  const allowed = fill(allow, values, false)
  const denied = fill(deny, values, true)
  // An empty list allows everything, which nobody meant whose templates came to nothing.
  return { allow: allowed, deny: allow.length > 0 && allowed.length === 0 ? [...denied, '>'] : denied }
}

/**
 * The permissions of a signing key for one user: `{{name()}}`, `{{subject()}}`, `{{tag(x)}}`, `{{account-name()}}`,
 * `{{account-subject()}}` and `{{account-tag(x)}}` are filled in (server/auth.go processUserPermissionsTemplate).
 *
 * @throws {NatsError} NATS_ERR_AUTHORIZATION where a template makes no sense
 */
export function fillTemplates (permissions: ClaimedPermissions, values: TemplateValues): ClaimedPermissions {
  return {
    publish: fillLists(permissions.publish, values),
    subscribe: fillLists(permissions.subscribe, values),
    responses: permissions.responses
  }
}
