import type { Destination } from '../broker/bridge.ts'
import type { Publishing } from '../broker/properties.ts'
import { startsWithWildcard } from '../subject/grammar.ts'
import type { Names } from '../subject/names.ts'
import { Trie } from '../subject/trie.ts'
import type { Message } from '../wire/message.ts'
import { detach } from '../wire/text.ts'
import { RouteCache, type RouteMemory } from './route-cache.ts'

/** Something that a slow reader clogs. */
export interface Clog {
  /** Calls back once it is free again. */
  whenRelieved (callback: () => void): void
}

/** Whoever publishes; it is slowed down when a receiver does not keep up. */
export interface Producer {
  /** Its client id in Aedes. */
  readonly clientId: string
  stall (clog: Clog): void
}

/** A subscription, as routing sees it. */
export interface Receiver {
  readonly filter: string
  /** The queue group; null for a plain subscription. */
  readonly queue: string | null
  /** Hands a message on; false when this receiver does not take it. */
  deliver (message: Message, producer: Producer | null): boolean
  /** Tells that a message with a QoS above 0 was stored; where it is there, the receiver gets such messages from a store only. */
  wake?: () => void
}

/** Told which topic filters are wanted, for messages from the broker. */
export interface Interest {
  add (topicFilter: string): void
  remove (topicFilter: string): void
}

const nobody: readonly never[] = []

/** Everybody who gets the messages of one subject. */
export class Route implements Destination {
  readonly subject: string
  topic: string | null | undefined
  readonly receiverCount: number
  readonly plain: readonly Receiver[]
  readonly groups: readonly (readonly Receiver[])[]
  private readonly isStored: boolean
  /** What the cache counts for it, and the topic that it keeps it under. */
  bytes = 0
  heardAs: string | null = null
  listened = false
  listenedAt = -1
  ruled: Publishing | -1 = -1

  constructor (subject: string, topic: string | undefined, receivers: readonly Receiver[]) {
    this.subject = subject
    this.topic = topic
    this.receiverCount = receivers.length
    const queued = receivers.some((receiver) => receiver.queue !== null)
    this.plain = queued ? receivers.filter((receiver) => receiver.queue === null) : receivers
    this.groups = queued ? groupsOf(receivers) : nobody
    this.isStored = this.groups.length > 0 && receivers.every((receiver) => receiver.wake !== undefined)
  }

  // hot: once per message with a QoS above 0
  /** Whether every receiver gets such messages from a store; they are told then. */
  wake (): boolean {
    if (!this.isStored) return false
    const { groups } = this
    for (let i = 0; i < groups.length; i++) (groups[i]?.[0] as Receiver).wake?.()
    return true
  }

  get hasReceivers (): boolean {
    return this.plain.length > 0 || this.groups.length > 0
  }

  // hot: once per message
  /** To every plain subscription, then to one member of each group; the number of deliveries. */
  deliver (message: Message, producer: Producer | null): number {
    let delivered = 0
    const { plain, groups } = this
    for (let i = 0; i < plain.length; i++) {
      if ((plain[i] as Receiver).deliver(message, producer)) delivered++
    }
    for (let i = 0; i < groups.length; i++) {
      if (deliverToOne(groups[i] as readonly Receiver[], message, producer)) delivered++
    }
    return delivered
  }
}

/** One group over all matching filters: its name alone counts (server/sublist.go findQSlot). */
function groupsOf (receivers: readonly Receiver[]): Receiver[][] {
  const groups = new Map<string, Receiver[]>()
  for (const receiver of receivers) {
    if (receiver.queue === null) continue
    const members = groups.get(receiver.queue)
    if (members === undefined) groups.set(receiver.queue, [receiver])
    else members.push(receiver)
  }
  return [...groups.values()]
}

/** To a random member, or to the next that takes it. */
function deliverToOne (members: readonly Receiver[], message: Message, producer: Producer | null): boolean {
  let at = members.length === 1 ? 0 : Math.floor(Math.random() * members.length)
  for (let tried = 0; tried < members.length; tried++) {
    if ((members[at] as Receiver).deliver(message, producer)) return true
    if (++at === members.length) at = 0
  }
  return false
}

/** Who gets what: the subscriptions of the NATS connections of this node that share their names. */
export class Router {
  private readonly names: Names
  private readonly trie = new Trie<Receiver>()
  private readonly interest: Interest
  private readonly cache: RouteCache

  constructor (names: Names, interest: Interest, memory: RouteMemory) {
    this.names = names
    this.interest = interest
    this.cache = new RouteCache(memory)
  }

  get size (): number {
    return this.trie.size
  }

  subscribe (receiver: Receiver): void {
    this.trie.insert(receiver.filter, receiver)
    this.invalidate(receiver.filter)
    for (const topicFilter of this.names.topicFiltersOf(receiver.filter)) this.interest.add(topicFilter)
  }

  unsubscribe (receiver: Receiver): void {
    this.trie.remove(receiver.filter, receiver)
    this.invalidate(receiver.filter)
    for (const topicFilter of this.names.topicFiltersOf(receiver.filter)) this.interest.remove(topicFilter)
  }

  /** Whoever matches a subject, now, and has no wildcard in the first tokens. */
  match (subject: string, literalTokens = 0): Receiver[] {
    const found: Receiver[] = []
    this.trie.match(subject, found, literalTokens)
    return found
  }

  // hot: once per message from NATS
  /** The route of a subject. Good for one message: the next subscription may change it. */
  route (subject: string): Route {
    return this.cache.get(subject) ?? this.find(subject)
  }

  // hot: once per message from the broker
  /**
   * The route of a topic; null when it has no subject. A filter with a wildcard at its start does not get topics that
   * begin with `$` (MQTT 3.1.1, 4.7.2), unless a NATS client published them.
   */
  routeOfTopic (topic: string, natsBorn: boolean): Route | null {
    const hidden = !natsBorn && topic.charCodeAt(0) === 0x24 // $
    const known = hidden ? undefined : this.cache.getByTopic(topic)
    if (known !== undefined) return known
    const subject = this.names.subjectOf(topic)
    if (subject === null) return null
    if (hidden) return new Route(subject, topic, this.match(subject, this.names.literalTokens(topic)))
    const route = this.route(subject)
    this.cache.keepTopic(topic, route)
    return route
  }

  private find (subject: string): Route {
    const kept = detach(subject)
    const route = new Route(kept, undefined, this.match(kept))
    this.cache.keep(route)
    return route
  }

  /** A filter with a wildcard may match any subject. */
  private invalidate (filter: string): void {
    if (startsWithWildcard(filter) || filter.includes('.*') || filter.endsWith('.>')) this.cache.clear()
    else this.cache.drop(filter)
  }

  /** Forgets what it would only find again. */
  forget (): void {
    this.cache.clear()
  }
}
