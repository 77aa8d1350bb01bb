import { safeFilter } from './safe-filter.ts'

// Levels that are kept of a topic filter with wildcards, where there are more than may be; the last is none.
const depths = [Infinity, 4, 3, 2, 1, 0] as const

/** What a queue is asked for to get what many topic filters match: as few patterns as may be, which match more. */
export class Patterns {
  private readonly max: number
  private readonly collapsesInboxes: boolean
  /** How often each topic filter is wanted. */
  private readonly counts = new Map<string, number>()
  /** How many topic filters each pattern stands for. */
  private readonly patterns = new Map<string, number>()
  private wildcardFilters = 0
  /** Patterns with wildcards. */
  private wildcards = 0
  private depth = 0
  private added = new Set<string>()
  private removed = new Set<string>()

  /**
   * @param max most patterns with wildcards; exact topics are not counted
   * @param collapsesInboxes whether all inboxes of NATS clients are one pattern
   */
  constructor (max: number, collapsesInboxes: boolean) {
    this.max = max
    this.collapsesInboxes = collapsesInboxes
  }

  add (topicFilter: string): void {
    const filter = safeFilter(topicFilter)
    const count = this.counts.get(filter) ?? 0
    this.counts.set(filter, count + 1)
    if (count > 0) return
    if (hasWildcard(filter)) this.wildcardFilters++
    this.count(this.patternOf(filter), 1)
    while (this.wildcards > this.max && this.depth < depths.length - 1) this.collapse(this.depth + 1)
  }

  remove (topicFilter: string): void {
    const filter = safeFilter(topicFilter)
    const count = this.counts.get(filter) ?? 0
    if (count === 0) return
    if (count > 1) {
      this.counts.set(filter, count - 1)
      return
    }
    this.counts.delete(filter)
    if (hasWildcard(filter)) this.wildcardFilters--
    this.count(this.patternOf(filter), -1)
    // Not at the brink, where each subscription that comes and goes would change it.
    if (this.depth > 0 && this.wildcardFilters < this.max / 2) this.collapse(0)
  }

  private count (pattern: string, change: 1 | -1): void {
    const count = (this.patterns.get(pattern) ?? 0) + change
    if (count === 0) {
      this.patterns.delete(pattern)
      if (!this.added.delete(pattern)) this.removed.add(pattern)
    } else {
      this.patterns.set(pattern, count)
      if (count > 1 || change < 0) return
      if (!this.removed.delete(pattern)) this.added.add(pattern)
    }
    if (hasWildcard(pattern)) this.wildcards += change
  }

  private collapse (depth: number): void {
    const before = [...this.counts.keys()].map((filter) => this.patternOf(filter))
    this.depth = depth
    for (const filter of this.counts.keys()) this.count(this.patternOf(filter), 1)
    for (const pattern of before) this.count(pattern, -1)
  }

  private patternOf (filter: string): string {
    if (this.collapsesInboxes) {
      const inbox = /^(?:.*\/)?_INBOX\//.exec(filter)
      if (inbox !== null) return `${inbox[0]}#`
    }
    if (this.depth === 0 || !hasWildcard(filter)) return filter
    const levels = filter.split('/')
    const kept = levels.slice(0, Math.min(depths[this.depth] as number, levels.findIndex((level) => level === '+' || level === '#')))
    return [...kept, '#'].join('/')
  }

  /** All that the queue is to be asked for. */
  get wanted (): Iterable<string> {
    return this.patterns.keys()
  }

  /** Whether a pattern is one of them. */
  has (pattern: string): boolean {
    return this.patterns.has(pattern)
  }

  /** What has changed since the last call. */
  changes (): { readonly added: Iterable<string>, readonly removed: Iterable<string> } {
    const { added, removed } = this
    if (added.size === 0 && removed.size === 0) return noChanges
    this.added = new Set()
    this.removed = new Set()
    return { added, removed }
  }
}

const noChanges = { added: [], removed: [] } as const

function hasWildcard (filter: string): boolean {
  return filter.includes('+') || filter.includes('#')
}
