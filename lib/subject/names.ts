import { filterToTopicFilter, natsOnlyTopic, subjectToTopic, topicFilterToFilter, topicToSubject } from './mapping.ts'

export class PrefixMapping {
  static readonly none = new PrefixMapping({}, false)
  readonly only: boolean
  constructor (_pairs: Readonly<Record<string, string>>, only: boolean) { this.only = only }
}

export function checkMapping (_pairs: Record<string, string>): string | null { return null }

export class Names {
  readonly mount: string
  readonly isPlain: boolean
  private readonly maxLevels: number
  constructor (mount: string, _mapping: PrefixMapping, maxLevels: number) {
    this.mount = mount
    this.isPlain = mount === ''
    this.maxLevels = maxLevels
  }

  topicOf (subject: string): string | null {
    const topic = subjectToTopic(subject, this.maxLevels)
    return topic === null ? null : this.mount + topic
  }

  subjectOf (topic: string): string | null {
    return topic.startsWith(this.mount) ? topicToSubject(topic.slice(this.mount.length)) : null
  }

  hookTopic (subject: string): string {
    return this.topicOf(subject) ?? this.mount + natsOnlyTopic(subject)
  }

  topicFiltersOf (filter: string): string[] {
    const topicFilter = filterToTopicFilter(filter, this.maxLevels)
    return topicFilter === null ? [] : [this.mount + topicFilter]
  }

  hookFilters (filter: string): string[] {
    const filters = this.topicFiltersOf(filter)
    return filters.length === 0 ? [this.mount + natsOnlyTopic(filter)] : filters
  }

  filterOf (topicFilter: string): string | null {
    return topicFilter.startsWith(this.mount) ? topicFilterToFilter(topicFilter.slice(this.mount.length)) : null
  }

  literalTokens (topic: string): number {
    return topic.startsWith('$') ? 1 : 0
  }
}
