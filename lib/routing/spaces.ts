import { Bridge } from '../broker/bridge.ts'
import type { PublishPacket } from '../broker/host.ts'
import type { HostLink } from '../broker/link.ts'
import { PublishRules } from '../broker/publish-rules.ts'
import { NatsError } from '../errors.ts'
import type { ResolvedOptions } from '../options.ts'
import { checkMountpoint } from '../subject/mountpoint.ts'
import { Names } from '../subject/names.ts'
import { checkMapping, PrefixMapping } from '../subject/prefixes.ts'
import { type Message, rewritten } from '../wire/message.ts'
import { Replies } from './replies.ts'
import { RouteMemory } from './route-cache.ts'
import type { Node, Producer } from './receiver.ts'
import { type Announcer, type Interest, Router } from './router.ts'
import type { Route } from './route.ts'

/** Those who share their names: the clients of one mountpoint, and who subscribes to what among them. */
export class Space {
  /** The topic prefix; empty for none, else it ends with `/`. */
  readonly mountpoint: string
  readonly names: Names
  readonly bridge: Bridge
  readonly router: Router
  /** Connections that are in it. */
  population = 0

  constructor (mountpoint: string, names: Names, bridge: Bridge, router: Router) {
    this.mountpoint = mountpoint
    this.names = names
    this.bridge = bridge
    this.router = router
  }
}

type NamesOptions = Pick<ResolvedOptions, 'listeners' | 'websocket' | 'mountpoint' | 'mapping' | 'mappingOnly' | 'publish' | 'replies' | 'replyTimeout'>
type CheckedOptions = NamesOptions & Pick<ResolvedOptions, 'durable' | 'maxDeliver' | 'deadLetter'>

/** This node in its cluster, as routing sees it. */
export interface Place {
  /** The id of this node. */
  readonly id: string
  /** Null where there are no other nodes. */
  readonly announcer: Announcer | null
  /** Whether queue groups prefer members of this node. */
  readonly prefersHere: boolean
}

/** How a message came from another node. */
export interface Passage {
  readonly mountpoint: string
  /** Whether plain subscriptions get it, and the queue groups whose member is to be one of this node. */
  readonly isPlain: boolean
  readonly queues: readonly string[]
  /** Whether wildcards at the start of a filter do not match its subject. */
  readonly isHidden: boolean
  /** Whether a NATS client published it. */
  readonly isNatsBorn: boolean
  /** Whether it was passed on once. */
  readonly isPassed: boolean
  /** The node that it came from, if whoever published it there does not want it back; else null. */
  readonly except: Node | null
}

const alone: Place = { id: '', announcer: null, prefersHere: false }

/** Those of all listeners, with placeholders. */
function mountpointsOf ({ mountpoint, listeners, websocket }: NamesOptions): string[] {
  return [...new Set([mountpoint, websocket?.mountpoint ?? mountpoint, ...listeners.map((listener) => listener.mountpoint ?? mountpoint)])]
}

/**
 * @param option where it was given
 * @throws {NatsError} NATS_ERR_OPTION for what is no mountpoint
 */
export function checkMountpointIn (option: string, mountpoint: string): void {
  const wrong = checkMountpoint(mountpoint)
  if (wrong === null) return
  throw new NatsError('NATS_ERR_OPTION', option, `${JSON.stringify(mountpoint)}, with ${wrong}`,
    "'' or a topic prefix that ends with /, with ${username}, ${clientid}, ${name} or ${host} in it, apart from each other") // eslint-disable-line no-template-curly-in-string -- that is how they are written
}

/**
 * Checks the options that say how subjects and topics belong together.
 *
 * @throws {NatsError} NATS_ERR_OPTION
 */
export function checkNames (options: CheckedOptions): void {
  checkMountpointIn('mountpoint', options.mountpoint)
  for (const { mountpoint } of options.listeners) checkMountpointIn('listeners', mountpoint ?? '')
  const { mapping, durable, maxDeliver, deadLetter } = options
  const wrongMapping = checkMapping(mapping)
  if (wrongMapping !== null) {
    throw new NatsError('NATS_ERR_OPTION', 'mapping', `wrong, ${wrongMapping}`, 'pairs of a subject prefix that ends with . and a topic prefix that ends with /, either may be empty, which lead no two subjects to one topic')
  }
  if (durable === false || maxDeliver === 0) return
  if (new PrefixMapping(mapping, options.mappingOnly).topicOf(`${deadLetter}.group.subject`, Infinity) === null) {
    throw new NatsError('NATS_ERR_OPTION', 'deadLetter', `${JSON.stringify(deadLetter)}, below which the option mapping has no topics`, 'a subject with topics below it, so that dead letters are stored')
  }
}

/**
 * The spaces of a gateway. Each has subjects of its own; where the topic of a message lies in several, as one without a
 * mountpoint sees those of all, each has it under its own name.
 */
export class Spaces {
  /** The one without a mountpoint. */
  readonly main: Space
  /** Answers of devices that see no reply subject; null when there are no rules for them. */
  readonly replies: Replies | null
  /** Packets whose topic has no subject anywhere: it holds NUL, or the option `mapping` has none for it. */
  dropped = 0
  private readonly link: HostLink
  private readonly interest: Interest
  private readonly mapping: PrefixMapping
  private readonly rules: PublishRules
  private readonly memory = new RouteMemory()
  private readonly mounted = new Map<string, Space>()
  private readonly place: Place

  /** @param options which `checkNames` has passed */
  constructor (link: HostLink, interest: Interest, options: NamesOptions, place = alone) {
    this.link = link
    this.place = place
    this.interest = interest
    this.mapping = new PrefixMapping(options.mapping, options.mappingOnly)
    this.rules = new PublishRules(options.publish)
    this.main = this.create('')
    const { replies, replyTimeout } = options
    this.replies = Object.keys(replies).length === 0 ? null : new Replies(replies, replyTimeout, mountpointsOf(options), this.alsoElsewhere(), link.shared)
  }

  /** Interest of who is no subscription, in messages of all nodes. */
  private alsoElsewhere (): Interest {
    const { interest, main, place: { announcer } } = this
    return {
      add: (topicFilter) => {
        interest.add(topicFilter)
        const filter = main.names.filterOf(topicFilter)
        if (filter !== null) announcer?.subscribed('', { filter, queue: null, deliver: () => false })
      },
      remove: (topicFilter) => { interest.remove(topicFilter) }
    }
  }

  private create (mountpoint: string): Space {
    const names = new Names(mountpoint, this.mapping, this.link.broker.maxTopicLevels)
    return new Space(mountpoint, names, new Bridge(this.link, names, this.rules), new Router(names, this.interest, this.memory, { ...this.place, mountpoint }))
  }

  /** Takes a connection in; it has to `leave`. */
  enter (mountpoint: string): Space {
    let space = mountpoint === '' ? this.main : this.mounted.get(mountpoint)
    if (space === undefined) this.mounted.set(mountpoint, space = this.create(mountpoint))
    space.population++
    return space
  }

  leave (space: Space): void {
    if (--space.population > 0 || space === this.main) return
    this.mounted.delete(space.mountpoint)
    space.router.forget()
  }

  /** The subscriptions of all. */
  get size (): number {
    let size = this.main.router.size
    for (const { router } of this.mounted.values()) size += router.size
    return size
  }

  // hot: once per message from the broker
  /**
   * Takes a packet of an MQTT client, of the host or of another node.
   *
   * @param isShared whether every node that wants it takes it from the queue, and chooses for its own queue groups
   */
  receive (packet: PublishPacket, natsBorn: boolean, isShared: boolean): void {
    let named = this.receiveIn(this.main, packet, natsBorn, isShared)
    if (this.mounted.size > 0) {
      const { topic } = packet
      for (let end = topic.indexOf('/'); end !== -1; end = topic.indexOf('/', end + 1)) {
        const space = this.mounted.get(topic.slice(0, end + 1))
        if (space !== undefined && this.receiveIn(space, packet, natsBorn, isShared)) named = true
      }
    }
    if (!named) this.dropped++
    this.replies?.receive(packet, natsBorn)
  }

  // hot: once per message from the broker
  /** False where the topic has no subject. */
  private receiveIn ({ router, bridge }: Space, packet: PublishPacket, natsBorn: boolean, isShared: boolean): boolean {
    const route = router.routeOfTopic(packet.topic, natsBorn)
    if (route === null) return false
    if (packet.qos > 0 && route.wake()) return true
    if (!route.hasReceivers) return true
    const message = bridge.messageOf(packet, route.subject)
    if (isShared) route.deliverShared(message, keyOf(packet), this.place.id)
    else route.deliver(message, null)
    return true
  }

  // hot: once per message from another node
  /** Takes a message that another node has sent to subscriptions of this one. */
  receiveNamed (message: Message, { mountpoint, isPlain, queues, isHidden, isNatsBorn, isPassed, except }: Passage): void {
    const space = mountpoint === '' ? this.main : this.mounted.get(mountpoint)
    if (space === undefined) return
    const { router } = space
    const route: Route = isHidden ? router.hiddenRoute(message.subject) : router.route(message.subject)
    message.subject = route.subject
    route.deliverNamed(message, isPlain, queues, !isPassed, except)
    if (this.replies !== null && isPlain && space === this.main) this.heard(this.replies, message, route, isNatsBorn)
  }

  private heard (replies: Replies, message: Message, route: Route, isNatsBorn: boolean): void {
    const { bridge } = this.main
    const topic = bridge.destinationTopic(route)
    if (topic !== null) replies.receive(bridge.packetOf(message, topic, 0), isNatsBorn)
  }

  /** The space of a mountpoint, for as long as somebody has entered it. */
  find (mountpoint: string): Space | null {
    return mountpoint === '' ? this.main : this.mounted.get(mountpoint) ?? null
  }

  /** Whether a message of one space may be one of another, too. */
  get areSeveral (): boolean {
    return this.mounted.size > 0
  }

  /**
   * Hands a message of one space to the others that its topic lies in.
   *
   * @returns the number of deliveries
   */
  relay (message: Message, topic: string, from: Space, producer: Producer): number {
    let delivered = from === this.main ? 0 : relayTo(this.main, message, topic, from, producer)
    for (let end = topic.indexOf('/'); end !== -1; end = topic.indexOf('/', end + 1)) {
      const space = this.mounted.get(topic.slice(0, end + 1))
      if (space !== undefined && space !== from) delivered += relayTo(space, message, topic, from, producer)
    }
    return delivered
  }
}

/** The same on all nodes for a packet. */
function keyOf ({ brokerId = '', brokerCounter = 0 }: PublishPacket): number {
  let key = 0
  for (let i = 0; i < brokerId.length; i++) key = (31 * key + brokerId.charCodeAt(i)) % 65_521
  return key + brokerCounter
}

function relayTo (space: Space, message: Message, topic: string, from: Space, producer: Producer): number {
  const route = space.router.routeOfTopic(topic, true)
  if (route === null || !route.hasReceivers) return 0
  const responseTopic = message.reply === '' ? null : from.names.topicOf(message.reply)
  const reply = responseTopic === null ? '' : space.names.subjectOf(responseTopic) ?? ''
  return route.deliver(rewritten(message, { subject: route.subject, reply }), producer)
}
