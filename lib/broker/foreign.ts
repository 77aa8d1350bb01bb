import { topicFilterToFilter } from '../subject/mapping.ts'
import { Trie } from '../subject/trie.ts'
import type { MqListener, Qlobber } from './host.ts'

/** Who listens at a queue, by topic filter. */
export function * listenersOf (qlobber: Qlobber): Iterable<[topicFilter: string, listener: MqListener]> {
  const path: string[] = []
  // A walk over the tree of levels; what listens stands under the separator (qlobber, `visit`).
  for (const step of qlobber.visit()) {
    if (step.type === 'entry') path.push(step.key)
    else if (step.type === 'end_entries' || step.type === 'end_values') path.pop()
    else if (step.type === 'value') yield [path.slice(0, -1).join('/'), step.value]
  }
}

/**
 * The filters that somebody besides the gateway listens to at the broker's queue: MQTT clients, the host, Aedes
 * itself. Kept as subjects, so that asking for a message from NATS does not take its topic first.
 */
export class ForeignInterest {
  /** Grows whenever the answer of `matches` may have changed. */
  generation = 0
  /** Told of each filter, as a subject, that somebody begins to listen to, or ends. */
  onChange: ((filter: string, isListened: boolean) => void) | null = null
  private readonly filters = new Trie<string>()
  private readonly listeners = new Map<string, MqListener[]>()
  /** How many topic filters each filter stands for: `a/#` is `a` too. */
  private readonly counts = new Map<string, number>()

  /** @param qlobber who listens already */
  constructor (qlobber: Qlobber) {
    for (const [topicFilter, listener] of listenersOf(qlobber)) this.add(topicFilter, listener)
  }

  add (topicFilter: string, listener: MqListener): void {
    const known = this.listeners.get(topicFilter)
    if (known !== undefined) {
      known.push(listener)
      return
    }
    this.listeners.set(topicFilter, [listener])
    for (const filter of subjectsOf(topicFilter)) {
      this.filters.insert(filter, topicFilter)
      const count = this.counts.get(filter) ?? 0
      this.counts.set(filter, count + 1)
      if (count === 0) this.onChange?.(filter, true)
    }
    this.generation++
  }

  remove (topicFilter: string, listener: MqListener): void {
    const known = this.listeners.get(topicFilter)
    const at = known?.lastIndexOf(listener) ?? -1
    if (known === undefined || at === -1) return
    known.splice(at, 1)
    if (known.length === 0) this.removeAll(topicFilter)
  }

  removeAll (topicFilter: string): void {
    if (!this.listeners.delete(topicFilter)) return
    for (const filter of subjectsOf(topicFilter)) {
      this.filters.remove(filter, topicFilter)
      const count = this.counts.get(filter) as number
      if (count > 1) {
        this.counts.set(filter, count - 1)
      } else {
        this.counts.delete(filter)
        this.onChange?.(filter, false)
      }
    }
    this.generation++
  }

  /** The filters that somebody listens to, as subjects. */
  subjects (): Iterable<string> {
    return this.counts.keys()
  }

  /** Whether somebody may listen to a subject. Sometimes nobody does where it says so, never the other way round. */
  matches (subject: string): boolean {
    const found: string[] = []
    this.filters.match(subject, found)
    return found.length > 0
  }
}

/** The filters that match all that a topic filter does; `#` stands for its parent too, and the queue allows it anywhere. */
function subjectsOf (topicFilter: string): string[] {
  const filter = topicFilterToFilter(topicFilter)
  if (filter === null) return []
  const tokens = filter.split('.')
  const rest = tokens.findIndex((token) => token === '>' || token === '#')
  if (rest === -1) return [filter]
  const parent = tokens.slice(0, rest)
  return rest === 0 ? ['>'] : [parent.join('.'), [...parent, '>'].join('.')]
}
