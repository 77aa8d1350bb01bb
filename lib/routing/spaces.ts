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
import { type Interest, type Producer, Router } from './router.ts'

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

  /** @param options which `checkNames` has passed */
  constructor (link: HostLink, interest: Interest, options: NamesOptions) {
    this.link = link
    this.interest = interest
    this.mapping = new PrefixMapping(options.mapping, options.mappingOnly)
    this.rules = new PublishRules(options.publish)
    this.main = this.create('')
    const { replies, replyTimeout } = options
    this.replies = Object.keys(replies).length === 0 ? null : new Replies(replies, replyTimeout, mountpointsOf(options), interest, link.shared)
  }

  private create (mountpoint: string): Space {
    const names = new Names(mountpoint, this.mapping, this.link.broker.maxTopicLevels)
    return new Space(mountpoint, names, new Bridge(this.link, names, this.rules), new Router(names, this.interest, this.memory))
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
  /** Takes a packet of an MQTT client, of the host or of another node. */
  receive (packet: PublishPacket, natsBorn: boolean): void {
    let named = receiveIn(this.main, packet, natsBorn)
    if (this.mounted.size > 0) {
      const { topic } = packet
      for (let end = topic.indexOf('/'); end !== -1; end = topic.indexOf('/', end + 1)) {
        const space = this.mounted.get(topic.slice(0, end + 1))
        if (space !== undefined && receiveIn(space, packet, natsBorn)) named = true
      }
    }
    if (!named) this.dropped++
    this.replies?.receive(packet, natsBorn)
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

// hot: once per message from the broker
/** False where the topic has no subject. */
function receiveIn ({ router, bridge }: Space, packet: PublishPacket, natsBorn: boolean): boolean {
  const route = router.routeOfTopic(packet.topic, natsBorn)
  if (route === null) return false
  if (packet.qos > 0 && route.wake()) return true
  if (route.hasReceivers) route.deliver(bridge.messageOf(packet, route.subject), null)
  return true
}

function relayTo (space: Space, message: Message, topic: string, from: Space, producer: Producer): number {
  const route = space.router.routeOfTopic(topic, true)
  if (route === null || !route.hasReceivers) return 0
  const responseTopic = message.reply === '' ? null : from.names.topicOf(message.reply)
  const reply = responseTopic === null ? '' : space.names.subjectOf(responseTopic) ?? ''
  return route.deliver(rewritten(message, { subject: route.subject, reply }), producer)
}
