import { topicFilterToFilter, topicToSubject } from '../subject/mapping.ts'
import type { Names } from '../subject/names.ts'
import { Trie } from '../subject/trie.ts'

/** What members of a group ask for, on any node. */
export class Asked {
  private readonly names: Names
  /** Their topic filters, as subjects of the plain table. */
  private readonly filters = new Trie<true>()

  /** @param topicFilters as `prefixFiltersOf` gives them */
  constructor (names: Names, topicFilters: readonly string[]) {
    this.names = names
    for (const topicFilter of topicFilters) this.filters.insert(topicFilterToFilter(topicFilter) ?? '', true)
  }

  /**
   * Whether somebody asks for a topic. Not for `foo` who asks for `foo/#`, which is NATS' `foo.>`; and not for what the
   * topic filter of one prefix matches below another one.
   */
  includes (topic: string): boolean {
    const levels = this.names.prefixLevels(topic)
    if (levels === null) return false
    const found: true[] = []
    this.filters.match(topicToSubject(topic) ?? '', found, topic.startsWith('$') ? Math.max(1, levels) : levels)
    return found.length > 0
  }
}
