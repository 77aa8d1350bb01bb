import { collide, covers, isFilter } from '../subject/grammar.ts'
import { Trie } from '../subject/trie.ts'
import { encodeText } from '../wire/text.ts'

/** An entry of a list of permissions; both as latin1 text, as subjects are on the wire. */
export interface SubjectRule {
  readonly subject: string
  /** Null for any or no queue group; may have wildcards. */
  readonly queue: string | null
}

/** Reads `foo.*` or, with a queue group, `foo.* workers.*` (server/client.go splitSubjectQueue); null for neither. */
export function parseRule (text: string): SubjectRule | null {
  const [subject = '', queue = null, ...rest] = encodeText(text).trim().split(/[ \t\r\n\f\v]+/)
  return rest.length === 0 && isFilter(subject) && (queue === null || isFilter(queue)) ? { subject, queue } : null
}

// Filled and emptied by each question, so that none allocates.
const found: SubjectRule[] = []

/** A list of permissions, ready to be asked. */
export class RuleSet {
  readonly rules: readonly SubjectRule[]
  private readonly trie = new Trie<SubjectRule>()

  constructor (rules: readonly SubjectRule[]) {
    this.rules = rules
    for (const rule of rules) this.trie.insert(rule.subject, rule)
  }

  // hot: once per message whose answer is not known yet
  /** Whether a subject is in the list. */
  has (subject: string): boolean {
    found.length = 0
    this.trie.match(subject, found)
    return found.length > 0
  }

  /**
   * Whether a list of what is allowed allows a subscription. An entry with a queue group that it is for allows only
   * that queue group, also where another entry has the subject alone (server/client.go canSubscribe).
   */
  allows (filter: string, queue: string | null): boolean {
    found.length = 0
    this.trie.match(filter, found)
    // nats-server takes the `>` of a subscription for a token like any other, so that who may subscribe to foo.* also
    // gets foo.>, that is more than allowed.
    const rules = found.filter((rule) => covers(rule.subject, filter))
    if (queue === null || !rules.some(isForQueue)) return rules.some(isForAll)
    return rules.some((rule) => isOfQueue(rule, queue))
  }

  // hot: once per delivery to a subscription that is filtered
  /** Whether a list of what is denied denies a subscription, or a delivery to it. */
  denies (subject: string, queue: string | null): boolean {
    found.length = 0
    this.trie.match(subject, found)
    for (const rule of found) {
      if (concerns(rule, queue)) return true
    }
    return false
  }

  /** Whether a list of what is denied may deny deliveries to a subscription. */
  collides (filter: string, queue: string | null): boolean {
    return this.rules.some((rule) => concerns(rule, queue) && collide(rule.subject, filter))
  }
}

function isForAll (rule: SubjectRule): boolean {
  return rule.queue === null
}

function isForQueue (rule: SubjectRule): boolean {
  return rule.queue !== null
}

function concerns (rule: SubjectRule, queue: string | null): boolean {
  return rule.queue === null || (queue !== null && isOfQueue(rule, queue))
}

/** Whether a queue group is the one of an entry: of that name, or of one that its wildcards match (server/client.go queueMatches). */
function isOfQueue (rule: SubjectRule, queue: string): boolean {
  return rule.queue !== null && (rule.queue === queue || covers(rule.queue, queue))
}
