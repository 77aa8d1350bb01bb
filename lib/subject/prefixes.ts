import { filterToTopicFilter, subjectToTopic, topicFilterToFilter, topicToSubject } from './mapping.ts'
import { covers, outermost } from './topic-filters.ts'

// Subject prefixes that stand for topic prefixes, on top of the plain table of mapping.ts, which still converts what
// follows a prefix. Both kinds of prefix end at a level, so that a subject and a topic are cut at the same place.
//
//   A subject goes by the pair with the longest subject prefix that it has, or by none (the plain table).
//   A topic comes from the first subject, by the longest topic prefix first and the plain table last, that goes to it.
//
// A subject whose topic comes from another subject is NATS-only, so no two subjects share a topic.

interface Pair {
  /** The subject prefix, as latin1 text. */
  readonly subject: string
  readonly tokens: readonly string[]
  readonly topic: string
  /** What the plain table makes of the topic prefix. */
  readonly plain: string
}

const inbox = '_INBOX.'

function latin1 (text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

/** An incomplete name is tried with one more level. */
function plainOf (topicPrefix: string): string {
  return (topicToSubject(`${topicPrefix}x`) as string).slice(0, -1)
}

function pairOf (subjectPrefix: string, topic: string): Pair {
  const subject = latin1(subjectPrefix)
  return { subject, tokens: subject.split('.').slice(0, -1), topic, plain: plainOf(topic) }
}

function longestFirst (pairs: readonly Pair[], side: 'subject' | 'topic'): Pair[] {
  return pairs.toSorted((a, b) => b[side].length - a[side].length)
}

/** Whether a name has the prefix and something behind it. */
function isUnder (prefix: string, name: string): boolean {
  return name.length > prefix.length && name.startsWith(prefix)
}

/** What a filter asks for behind a prefix; null when it matches no subject there. */
function filterBehind (prefix: readonly string[], filter: readonly string[]): string | null {
  for (let i = 0; i < prefix.length; i++) {
    const token = filter[i]
    if (token === '>') return token
    if (token !== '*' && token !== prefix[i]) return null
  }
  return filter.length > prefix.length ? filter.slice(prefix.length).join('.') : null
}

/** How many levels a topic prefix takes. */
export function levelCount (topicPrefix: string): number {
  return topicPrefix.split('/').length - 1
}

/** The option `mapping`, checked by `checkMapping`: subject prefixes and the topic prefixes that they stand for. */
export class PrefixMapping {
  static readonly none = new PrefixMapping({}, false)

  /** Whether this is the plain table alone. */
  readonly isPlain: boolean
  private readonly only: boolean
  private readonly bySubject: readonly Pair[]
  private readonly byTopic: readonly Pair[]

  /**
   * @param pairs topic prefixes by subject prefix, both as ordinary strings
   * @param only leaves what no pair covers without a topic
   */
  constructor (pairs: Readonly<Record<string, string>>, only: boolean) {
    const all = Object.entries(pairs).map(([subject, topic]) => pairOf(subject, topic))
    // Without it MQTT devices could not answer requests.
    if (all.length > 0 && !all.some(({ subject }) => subject === '' || subject.startsWith(inbox))) all.push(pairOf(inbox, '_INBOX/'))
    this.bySubject = longestFirst(all, 'subject')
    this.byTopic = longestFirst(all, 'topic')
    this.only = only
    this.isPlain = all.length === 0 && !only
  }

  /** The topic of a published subject; null when it is NATS-only. */
  topicOf (subject: string, maxLevels: number): string | null {
    const pair = this.pairFor(subject)
    const topic = pair === undefined
      ? subjectToTopic(subject, maxLevels)
      : subjectToTopic(subject.slice(pair.subject.length), maxLevels - levelCount(pair.topic))
    if (topic === null) return null
    const full = pair === undefined ? topic : pair.topic + topic
    return this.subjectOf(full) === subject ? full : null
  }

  /** The subject of a topic; null when it has none. */
  subjectOf (topic: string): string | null {
    return this.from(topic, topicToSubject)
  }

  /**
   * The subscription subject of a topic filter; null when it has none. That may be since a wildcard in the subject
   * would take in the prefix of another pair, whose topics were not asked for.
   */
  filterOf (topicFilter: string): string | null {
    const filter = this.from(topicFilter, topicFilterToFilter)
    if (filter === null) return null
    return this.topicFiltersOf(filter, '', Infinity).every((one) => covers(topicFilter, one)) ? filter : null
  }

  /**
   * The topic filters that together match every topic whose subject the filter matches, and at times more. One for each
   * prefix, which it begins with, and one without; some may contain others.
   *
   * @param mount stands before each of them
   * @param maxLevels of a topic behind the mount
   */
  prefixFiltersOf (filter: string, mount: string, maxLevels: number): string[] {
    const tokens = filter.split('.')
    const found: string[] = []
    for (const { subject, tokens: prefix, topic } of this.bySubject) {
      const rest = filterBehind(prefix, tokens)
      if (rest === null) continue
      const topicFilter = filterToTopicFilter(rest, maxLevels - levelCount(topic))
      if (topicFilter !== null) found.push(mount + topic + topicFilter)
      // All that it matches is under this prefix, and shorter ones do not count.
      if (isUnder(subject, filter)) return found
    }
    const plain = this.only ? null : this.plainTopicFilter(filter, maxLevels)
    if (plain !== null) found.push(mount + plain)
    return found
  }

  /** Those of them that no other contains. */
  topicFiltersOf (filter: string, mount: string, maxLevels: number): string[] {
    return outermost(this.prefixFiltersOf(filter, mount, maxLevels))
  }

  /** How many levels the topic prefix of a subject takes. */
  prefixLevels (subject: string): number {
    const pair = this.pairFor(subject)
    return pair === undefined ? 0 : levelCount(pair.topic)
  }

  /** How many tokens of a subject, the first ones, stand for the first level of its topic and what is before it. */
  leadingTokens (subject: string): number {
    const pair = this.pairFor(subject)
    if (pair === undefined) return 1
    return pair.topic === '' ? pair.tokens.length + 1 : pair.tokens.length
  }

  private pairFor (subject: string): Pair | undefined {
    const { bySubject } = this
    for (let i = 0; i < bySubject.length; i++) {
      const pair = bySubject[i] as Pair
      if (isUnder(pair.subject, subject)) return pair
    }
    return undefined
  }

  // hot: once per message from the broker
  private from (topic: string, plain: (topic: string) => string | null): string | null {
    const { byTopic } = this
    for (let i = 0; i < byTopic.length; i++) {
      const pair = byTopic[i] as Pair
      if (!isUnder(pair.topic, topic)) continue
      const rest = plain(topic.slice(pair.topic.length))
      if (rest !== null && this.pairFor(pair.subject + rest) === pair) return pair.subject + rest
    }
    if (this.only) return null
    const subject = plain(topic)
    return subject !== null && this.pairFor(subject) === undefined ? subject : null
  }

  /** For the subjects that no pair covers; null when a pair takes the topics of all of them. */
  private plainTopicFilter (filter: string, maxLevels: number): string | null {
    let left: string | null = null
    for (const pair of this.byTopic) {
      if (!this.takes(pair, filter)) continue
      // A topic that is just the prefix is nothing behind it.
      if (pair.topic === '' || !/^[/*>]$/.test(filter.slice(pair.plain.length))) return null
      left = filterToTopicFilter(`${pair.plain}/`, maxLevels)
    }
    return left ?? filterToTopicFilter(filter, maxLevels)
  }

  /** Whether every topic that the filter matches by the plain table comes from a subject of the pair. */
  private takes (pair: Pair, filter: string): boolean {
    if (!isUnder(pair.plain, filter)) return false
    const rest = filter.slice(pair.plain.length).split('.')
    return !this.bySubject.some((other) => isUnder(pair.subject, other.subject) &&
      filterBehind(other.tokens.slice(pair.tokens.length), rest) !== null)
  }
}

function isSubjectPrefix (prefix: string): boolean {
  return prefix === '' || (prefix.endsWith('.') && subjectToTopic(`${latin1(prefix)}x`, Infinity) !== null)
}

function isTopicPrefix (prefix: string): boolean {
  if (prefix === '') return true
  const topic = `${prefix}x`
  const subject = prefix.endsWith('/') ? topicToSubject(topic) : null
  return subject !== null && subjectToTopic(subject, Infinity) === topic
}

/** Whether some subject of one pair has the topic of a subject of the other, whose topic prefix is no shorter. */
function collide (outer: Pair, inner: Pair, bySubject: readonly Pair[]): boolean {
  if (!inner.topic.startsWith(outer.topic)) return false
  const subject = outer.subject + plainOf(inner.topic.slice(outer.topic.length))
  return bySubject.find((pair) => subject.startsWith(pair.subject)) === outer
}

/** What is wrong with the option `mapping`, for its error; null when it is fine. */
export function checkMapping (pairs: Readonly<Record<string, string>>): string | null {
  for (const [subject, topic] of Object.entries(pairs)) {
    if (!isSubjectPrefix(subject)) return `'${subject}' is no subject prefix: it must be '' or end with '.', and its tokens must be those of a topic`
    if (!isTopicPrefix(topic)) return `'${topic}', which '${subject}' leads to, is no topic prefix: it must be '' or end with '/', without '+', '#' and NUL`
  }
  const named = Object.entries(pairs).map(([name, topic]) => ({ name, pair: pairOf(name, topic) }))
  const bySubject = longestFirst(named.map(({ pair }) => pair), 'subject')
  for (const [i, one] of named.entries()) {
    for (const other of named.slice(i + 1)) {
      const [outer, inner] = one.pair.topic.length <= other.pair.topic.length ? [one.pair, other.pair] : [other.pair, one.pair]
      if (!collide(outer, inner, bySubject)) continue
      return `'${one.name}' and '${other.name}' both lead to topics${inner.topic === '' ? '' : ` that begin with '${inner.topic}'`}`
    }
  }
  return null
}
