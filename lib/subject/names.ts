import { filterToTopicFilter, natsOnlyTopic, subjectToTopic, topicFilterToFilter, topicToSubject } from './mapping.ts'
import { levelCount, type PrefixMapping } from './prefixes.ts'

const DOLLAR = 0x24
// Bytes that a topic may have (MQTT 3.1.1, 1.5.3). Aedes cuts off who would get a longer one.
export const maxTopic = 65_535

function fits (topic: string): boolean {
  // A character is three bytes at most.
  return topic.length * 3 <= maxTopic || Buffer.byteLength(topic) <= maxTopic
}

/**
 * The names of one tenant of the gateway: its subjects, as latin1 text, and the topics that they are on the MQTT side.
 * Hooks, MQTT clients and the broker see topics with the mountpoint, NATS clients subjects without it.
 */
export class Names {
  /** Whether the plain table is all there is: no mountpoint, no mapping. */
  readonly isPlain: boolean
  private readonly mount: string
  private readonly mapping: PrefixMapping
  private readonly maxLevels: number

  /**
   * @param mount a topic prefix, '' or one that ends with `/`, without wildcards and NUL
   * @param maxLevels of a topic, those of the mountpoint included
   */
  constructor (mount: string, mapping: PrefixMapping, maxLevels: number) {
    this.mount = mount
    this.mapping = mapping
    this.maxLevels = maxLevels - levelCount(mount)
    this.isPlain = mount === '' && mapping.isPlain
  }

  /** The topic of a published subject; null when it is NATS-only. */
  topicOf (subject: string): string | null {
    const topic = this.mapping.isPlain ? subjectToTopic(subject, this.maxLevels) : this.mapping.topicOf(subject, this.maxLevels)
    const full = topic === null || this.mount === '' ? topic : this.mount + topic
    return full !== null && fits(full) ? full : null
  }

  // hot: once per message from the broker
  /** The subject of a topic; null when it has none or is not of this tenant. */
  subjectOf (topic: string): string | null {
    if (this.isPlain) return topicToSubject(topic)
    const inner = this.unmounted(topic)
    if (inner === null) return null
    return this.mapping.isPlain ? topicToSubject(inner) : this.mapping.subjectOf(inner)
  }

  /** What hooks see as the topic of a published subject. */
  hookTopic (subject: string): string {
    return this.topicOf(subject) ?? this.mount + natsOnlyTopic(subject)
  }

  /**
   * Topic filters that together match every topic whose subject a subscription's filter matches; empty when no topic
   * has such a subject. They may match more.
   */
  topicFiltersOf (filter: string): string[] {
    if (!this.mapping.isPlain) return this.mapping.topicFiltersOf(filter, this.mount, this.maxLevels)
    const topicFilter = filterToTopicFilter(filter, this.maxLevels)
    return topicFilter === null ? [] : [this.mount + topicFilter]
  }

  /**
   * Such topic filters for who has to tell later which subscriptions a topic is for, by `prefixLevels`: each begins with
   * the topic prefix that it is for. Some may contain others.
   */
  prefixFiltersOf (filter: string): string[] {
    return this.mapping.isPlain ? this.topicFiltersOf(filter) : [...new Set(this.mapping.prefixFiltersOf(filter, this.mount, this.maxLevels))]
  }

  /** How many levels of a topic, the first ones, are those of the mountpoint and of a prefix; null when it has no subject. */
  prefixLevels (topic: string): number | null {
    const subject = this.subjectOf(topic)
    return subject === null ? null : levelCount(this.mount) + this.mapping.prefixLevels(subject)
  }

  /** What hooks see as the topic filters of a subscription; never empty. */
  hookFilters (filter: string): string[] {
    const topicFilters = this.topicFiltersOf(filter)
    return topicFilters.length > 0 ? topicFilters : [this.mount + natsOnlyTopic(filter)]
  }

  /**
   * The filter of a subscription whose topic filter a hook chose; null when it has none, when it would match topics
   * that the hook did not choose, or when it is not of this tenant.
   */
  filterOf (topicFilter: string): string | null {
    const inner = this.unmounted(topicFilter)
    if (inner === null) return null
    return this.mapping.isPlain ? topicFilterToFilter(inner) : this.mapping.filterOf(inner)
  }

  /**
   * How many tokens of a topic's subject, the first ones, a filter must name to get it from an MQTT client: MQTT's
   * wildcards do not match topics that begin with `$` (MQTT 3.1.1, 4.7.2), and none stands before a mountpoint's end.
   */
  literalTokens (topic: string): number {
    if (topic.charCodeAt(0) !== DOLLAR || this.mount !== '') return 0
    if (this.mapping.isPlain) return 1
    const subject = this.mapping.subjectOf(topic)
    return subject === null ? 0 : this.mapping.leadingTokens(subject)
  }

  private unmounted (name: string): string | null {
    if (this.mount === '') return name
    return name.startsWith(this.mount) ? name.slice(this.mount.length) : null
  }
}
