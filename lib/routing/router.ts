import { startsWithWildcard } from '../subject/grammar.ts'
import type { Names } from '../subject/names.ts'
import { Trie } from '../subject/trie.ts'
import { detach } from '../wire/text.ts'
import { isRemote, type Receiver } from './receiver.ts'
import { RouteCache, type RouteMemory } from './route-cache.ts'
import { Route } from './route.ts'

/** Told which topic filters are wanted, for messages from the broker. */
export interface Interest {
  add (topicFilter: string): void
  remove (topicFilter: string): void
}

/** Told which subscriptions there are on this node, for the other nodes. */
export interface Announcer {
  subscribed (mountpoint: string, receiver: Receiver): void
  unsubscribed (mountpoint: string, receiver: Receiver): void
}

/** What a router needs to know of the cluster. */
export interface RouterPlace {
  readonly mountpoint: string
  /** Null where there are no other nodes. */
  readonly announcer: Announcer | null
  /** Whether queue groups prefer members of this node. */
  readonly prefersHere: boolean
}

const alone: RouterPlace = { mountpoint: '', announcer: null, prefersHere: false }

/**
 * Who gets what: the subscriptions of the NATS connections of this node that share their names, and what other nodes want
 * of them.
 */
export class Router {
  /** The subscriptions of this node. */
  size = 0
  private readonly names: Names
  private readonly place: RouterPlace
  private readonly trie = new Trie<Receiver>()
  private readonly interest: Interest
  private readonly cache: RouteCache

  constructor (names: Names, interest: Interest, memory: RouteMemory, place = alone) {
    this.names = names
    this.place = place
    this.interest = interest
    this.cache = new RouteCache(memory)
  }

  subscribe (receiver: Receiver): void {
    this.trie.insert(receiver.filter, receiver)
    this.invalidate(receiver.filter)
    if (isRemote(receiver)) return
    this.size++
    for (const topicFilter of this.names.topicFiltersOf(receiver.filter)) this.interest.add(topicFilter)
    this.place.announcer?.subscribed(this.place.mountpoint, receiver)
  }

  unsubscribe (receiver: Receiver): void {
    this.trie.remove(receiver.filter, receiver)
    this.invalidate(receiver.filter)
    if (isRemote(receiver)) return
    this.size--
    for (const topicFilter of this.names.topicFiltersOf(receiver.filter)) this.interest.remove(topicFilter)
    this.place.announcer?.unsubscribed(this.place.mountpoint, receiver)
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
    if (hidden) return this.hiddenRoute(subject, topic)
    const route = this.route(subject)
    this.cache.keepTopic(topic, route)
    return route
  }

  /** The route of a message from MQTT whose topic begins with `$`. */
  hiddenRoute (subject: string, topic = this.names.topicOf(subject) ?? undefined): Route {
    const literalTokens = topic === undefined ? 1 : this.names.literalTokens(topic)
    return new Route(subject, topic, this.match(subject, literalTokens), { isHidden: true, prefersHere: this.place.prefersHere })
  }

  private find (subject: string): Route {
    const kept = detach(subject)
    const route = new Route(kept, undefined, this.match(kept), this.place)
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
