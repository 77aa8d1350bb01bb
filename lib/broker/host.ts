import { EventEmitter } from 'node:events'
import { NatsError } from '../errors.ts'

// What the gateway needs of the Aedes broker it is registered with, version 1 or 2, and of the parts that hang on it.

/** MQTT 5 user properties as mqtt-packet has them. */
export type UserProperties = Record<string, string | string[]>

/** The MQTT 5 properties that the gateway reads and writes. */
export interface PacketProperties {
  responseTopic?: string
  correlationData?: Buffer
  contentType?: string
  payloadFormatIndicator?: boolean
  /** In seconds. */
  messageExpiryInterval?: number
  userProperties?: UserProperties
}

/** A PUBLISH inside Aedes (aedes-packet). Numbered by the broker it came in at: `brokerId` and `brokerCounter`. */
export interface PublishPacket {
  cmd: 'publish'
  topic: string
  payload: Buffer | string
  qos: 0 | 1 | 2
  retain: boolean
  dup: boolean
  brokerId?: string
  brokerCounter?: number
  /** The client that published it; absent when the host itself did. */
  clientId?: string
  properties?: PacketProperties
  /** MQTT 5: not for the client that published it. */
  nl?: boolean
  /** When it expires, in milliseconds since 1970; Aedes 2 sets it for packets that do. */
  messageExpiry?: number
  /** The number that an MQTT client gave it, for the acknowledgement; wills and packets of the host have none. */
  messageId?: number | undefined
  /** The header block that a NATS client published, between gateways; no MQTT client sees it, and no store keeps it. */
  natsHeader?: string
}

/** An MQTT-shaped CONNECT, for the host's `preConnect`. */
export interface ConnectPacket {
  cmd: 'connect'
  protocolId: string
  protocolVersion: number
  clean: boolean
  clientId: string
  keepalive: number
  username?: string
  password?: Buffer
}

/** What `authorizeSubscribe` decides on; `queue` is the queue group of a NATS subscription. */
export interface HostSubscription {
  topic: string
  qos: number
  queue?: string
  /** Whether that group is durable: messages wait for it while nobody is there. */
  durable?: true
}

/** A client as Aedes keeps it, as far as the gateway looks at one. */
export interface HostClient {
  id: string
  conn: object
}

export type Done = (error?: Error | null) => void
export type MqListener = (packet: PublishPacket, done: () => void) => void

/** A walk over the tree of a Qlobber. */
export type QlobberStep =
  { type: 'start_entries' | 'end_entries' | 'start_values' | 'end_values' } |
  { type: 'entry', key: string } |
  { type: 'value', value: MqListener }

/** What mqemitter keeps its listeners in. */
export interface Qlobber {
  visit (): Iterable<QlobberStep>
}

/** mqemitter, or what stands in for it (mqemitter-redis, ...). */
export interface MessageQueue {
  on (topic: string, listener: MqListener, done?: () => void): unknown
  emit (packet: PublishPacket, done?: Done): unknown
  removeListener (topic: string, listener: MqListener, done?: () => void): unknown
  removeAllListeners? (topic: string, done?: () => void): unknown
  /** mqemitter's own: there is no public way to ask who listens. */
  _matcher?: Qlobber
}

/** A subscription that Aedes stores a message for. */
export interface StoredSubscription {
  readonly clientId: string
}

/** As much of a persistence as is wrapped or asked here. */
export interface Persistence {
  /** Who stores messages of a topic: sessions that subscribe with a QoS above 0. */
  subscriptionsByTopic (topic: string): Promise<readonly StoredSubscription[]>
  /** The retained messages that match each filter in turn; one that two of them match comes twice. */
  createRetainedStreamCombi (topicFilters: string[]): AsyncIterable<PublishPacket>
  /** Appends a packet to the queue of the client of each subscription. */
  outgoingEnqueueCombi (subscriptions: readonly StoredSubscription[], packet: PublishPacket): Promise<unknown>
}

/** The hooks of a broker. Any of them may be replaced by the host at any time. */
export interface HostHooks {
  preConnect (client: object, packet: ConnectPacket, callback: (error: Error | null, success?: boolean) => void): void
  authenticate (client: object, username: string | undefined, password: Buffer | undefined, callback: (error: Error | null, success?: boolean | null) => void): void
  authorizePublish (client: object | null, packet: PublishPacket, callback: Done): void
  authorizeSubscribe (client: object, subscription: HostSubscription, callback: (error: Error | null, subscription?: HostSubscription | null) => void): void
  authorizeForward (client: object, packet: PublishPacket): PublishPacket | null | undefined | void
  published (packet: PublishPacket, client: object | null, callback: Done): void
}

/** The public face of a broker: what hosts hand to the gateway. Every Aedes 1.x and 2.x has it. */
export interface Broker {
  readonly id: string
  readonly closed: boolean
  publish (packet: never, callback: () => void): void
}

/** The whole of what the gateway uses, public or not. */
export interface HostBroker extends HostHooks, EventEmitter {
  id: string
  closed: boolean
  mq: MessageQueue
  persistence: Persistence
  /** The number of the last packet made; the next one gets the next. */
  counter: number
  maxTopicLevels: number
  clients: Record<string, HostClient>
  /** When Aedes has heard of which broker, in milliseconds since 1970; of itself too. */
  brokers: Record<string, number>
  opts?: { readonly heartbeatInterval?: number }
  publish (packet: Partial<PublishPacket>, client: object | null, done: Done): void
  subscribe (topic: string, listener: MqListener, done: () => void): void
  unsubscribe (topic: string, listener: MqListener, done: () => void): void
  registerClient (client: object): void
  unregisterClient (client: object): void
}

const methods = [
  'publish', 'subscribe', 'unsubscribe', 'registerClient', 'unregisterClient', 'on', 'preConnect', 'authenticate',
  'authorizePublish', 'authorizeSubscribe', 'authorizeForward', 'published'
] as const

/** @throws {NatsError} NATS_ERR_BROKER, saying what is missing */
export function asHost (broker: unknown): HostBroker {
  if (typeof broker !== 'object' || broker === null) {
    throw new NatsError('NATS_ERR_BROKER', 'no Aedes broker: pass one as `broker`, or register the gateway where `fastify.aedes` is decorated')
  }
  const host = broker as HostBroker
  const missing = methods.filter((name) => typeof host[name] !== 'function')
  if (missing.length > 0) throw new NatsError('NATS_ERR_BROKER', `not an Aedes broker of version 1 or 2: it has no ${missing.join(', ')}`)
  // Aedes has its mq from the constructor on; its persistence is set up in listen().
  if (typeof host.mq?.on !== 'function' || host.closed) {
    throw new NatsError('NATS_ERR_BROKER', 'the Aedes broker is not listening: use `await Aedes.createBroker()`')
  }
  return host
}

/**
 * The hooks that a broker has when the host set none. Aedes does not export them, but a broker that nobody listens
 * to has them: its constructor only fills in fields. Empty when the broker's class is not known, so that every hook
 * counts as the host's.
 */
export function defaultHooks (broker: HostBroker): Partial<HostHooks> {
  let prototype: object | null = Object.getPrototypeOf(broker)
  while (prototype !== null && Object.getPrototypeOf(prototype) !== EventEmitter.prototype) prototype = Object.getPrototypeOf(prototype)
  const Aedes = prototype?.constructor as (new () => HostBroker) | undefined
  if (Aedes?.name !== 'Aedes') return {}
  try {
    return new Aedes()
  } catch {
    return {}
  }
}
