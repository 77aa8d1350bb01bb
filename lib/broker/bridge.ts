import { isDeepStrictEqual } from 'node:util'
import type { Names } from '../subject/names.ts'
import { topicToSubject } from '../subject/mapping.ts'
import { isReservedReply } from '../wire/limits.ts'
import { type Message, messageWith, rewritten } from '../wire/message.ts'
import { detach } from '../wire/text.ts'
import { replySubject } from './correlation.ts'
import type { Done, PacketProperties, PublishPacket } from './host.ts'
import { isNatsBorn, originOf, RemoteOrigin } from './identity.ts'
import type { HostLink } from './link.ts'
import { copyOfProperties, headerOf, headerWith, propertiesOf, type Publishing, publishingOf, qosMask, retainFlag } from './properties.ts'
import type { PublishRules } from './publish-rules.ts'

/** What is known of a subject on the MQTT side; kept by whoever routes, filled in here. */
export interface Destination {
  readonly subject: string
  /** The topic; null for a NATS-only subject, undefined until somebody asks. */
  topic: string | null | undefined
  listened: boolean
  /** The generation of the link in which `listened` was looked up. */
  listenedAt: number
  /** How the rules publish; -1 until somebody asks. */
  ruled: Publishing | -1
}

/** Messages to packets and back, for those who share their names. */
export class Bridge {
  readonly names: Names
  private readonly link: HostLink
  private readonly rules: PublishRules
  /** Whether every subject is that of its topic, which the link knows listeners by. */
  readonly isPlain: boolean

  constructor (link: HostLink, names: Names, rules: PublishRules) {
    this.link = link
    this.names = names
    this.rules = rules
    this.isPlain = names.isPlain
  }

  /** Whether something wants to see every publish. */
  get isObserved (): boolean {
    return this.link.isObserved
  }

  // hot: once per message from NATS
  /** Whether anybody but the NATS clients of this node may listen to the subject. */
  hasListener (destination: Destination): boolean {
    if (destination.listenedAt !== this.link.generation) {
      destination.listened = this.isListened(destination, false)
      destination.listenedAt = this.link.generation
    }
    return destination.listened
  }

  /** Whether one of them may answer: not where all of them are on nodes that count as dead. */
  hasResponder (destination: Destination): boolean {
    return this.isListened(destination, true)
  }

  private isListened (destination: Destination, isAlive: boolean): boolean {
    if (this.isPlain) return this.link.hasListener(destination.subject, isAlive) && this.destinationTopic(destination) !== null
    const topic = this.destinationTopic(destination)
    return topic !== null && this.link.hasListener(topicToSubject(topic) as string, isAlive)
  }

  /** The topic of a destination; null when it has none. */
  destinationTopic (destination: Destination): string | null {
    if (destination.topic === undefined) destination.topic = this.names.topicOf(destination.subject)
    return destination.topic
  }

  // hot: once per message from NATS
  /** How to publish a message: as its headers say, else as the rules do, a verbose client's with QoS 1 at least. */
  publishing (message: Message, destination: Destination, verbose: boolean): Publishing {
    if (destination.ruled === -1) destination.ruled = this.rules.publishingOf(destination.subject)
    let publishing = destination.ruled
    if (verbose && (publishing & qosMask) === 0) publishing++
    return message.headerSize === 0 ? publishing : publishingOf(message.header, publishing)
  }

  // hot: once per message that somebody outside NATS wants
  /** The PUBLISH for a message, as hooks see it and the broker takes it. */
  packetOf (message: Message, topic: string, publishing: Publishing): PublishPacket {
    const packet: PublishPacket = {
      cmd: 'publish',
      topic,
      payload: message.payload,
      qos: (publishing & qosMask) as 0 | 1 | 2,
      retain: (publishing & retainFlag) !== 0,
      dup: false
    }
    if (message.reply !== '' || message.headerSize > 0) this.addProperties(packet, message, publishing)
    return packet
  }

  private addProperties (packet: Partial<PublishPacket>, message: Message, publishing: Publishing): void {
    const responseTopic = message.reply === '' ? null : this.names.topicOf(message.reply)
    if (message.headerSize > 0) {
      // What is stored must not keep the chunk that it came in.
      const header = publishing === 0 ? message.header : detach(message.header)
      packet.properties = propertiesOf(header, responseTopic)
      this.link.keepHeader(packet.properties, header)
    } else if (responseTopic !== null) {
      packet.properties = { responseTopic }
    }
  }

  /** A packet for one call of `authorizeForward`: the one that came in, or one for a message from NATS or from another node. */
  forwardPacket (message: Message, clientId: string | undefined): PublishPacket {
    const origin = originOf(message)
    if (isPacket(origin)) {
      const packet = { ...origin }
      if (packet.properties !== undefined && packet.properties !== null) packet.properties = copyOfProperties(packet.properties)
      return packet
    }
    const packet = this.packetOf(message, this.names.hookTopic(message.subject), message.qos + (origin?.retain === true ? retainFlag : 0))
    // A block of headers that tell how it was published is none of its properties.
    if (origin !== null && isDeepStrictEqual(packet.properties, {})) delete packet.properties
    const publisher = origin?.clientId ?? clientId
    if (publisher !== undefined) packet.clientId = publisher
    return packet
  }

  /** The subject of a message as a hook left its packet; null when the hook chose a topic that has none here. */
  changedSubject (message: Message, packet: PublishPacket): string | null {
    return packet.topic === this.names.hookTopic(message.subject) ? message.subject : this.names.subjectOf(packet.topic)
  }

  /** The message under a subject, as a hook left its packet. */
  changed (message: Message, packet: PublishPacket, subject: string): Message {
    const payload = textOf(packet.payload)
    const before = this.propertiesBefore(message)
    if (isDeepStrictEqual(packet.properties ?? {}, before ?? {})) {
      return payload === message.body && subject === message.subject ? message : rewritten(message, { subject, payload })
    }
    const properties = packet.properties ?? {}
    const header = headerWith(message.header, properties)
    this.link.keepHeader(properties, header)
    return rewritten(message, { subject, reply: this.changedReply(message, properties, before), header, payload })
  }

  /** The properties that a hook was shown with a message. */
  private propertiesBefore (message: Message): PacketProperties | undefined {
    const origin = originOf(message)
    if (isPacket(origin)) return origin.properties
    const shown: Partial<PublishPacket> = {}
    if (message.reply !== '' || message.headerSize > 0) this.addProperties(shown, message, 0)
    return shown.properties
  }

  private changedReply ({ reply }: Message, { responseTopic }: PacketProperties, before: PacketProperties | undefined): string {
    // One that acknowledges is none of the host's.
    if (responseTopic === before?.responseTopic || isReservedReply(reply)) return reply
    return typeof responseTopic === 'string' ? this.names.subjectOf(responseTopic) ?? '' : ''
  }

  // hot: once per message that somebody outside NATS wants
  /** Publishes with QoS 0. What nobody listens to is only shown to the host. */
  publish (packet: PublishPacket, destination: Destination, client: object, done: Done): void {
    if (!this.hasListener(destination)) {
      this.link.show(packet, client, done)
      return
    }
    this.link.broker.publish(packet, client, done)
  }

  /** Publishes with QoS 1 or 2, or retained; `done` is called once the message is stored, or cannot be. */
  publishStored (packet: PublishPacket, client: object | null, done: (error: Error | null) => void): void {
    this.link.publishStored(packet, client, done)
  }

  // hot: once per message from the broker
  /**
   * The message for a packet.
   *
   * @param subject that of its topic
   * @param retained whether it comes from the store of retained messages
   */
  messageOf (packet: PublishPacket, subject: string, retained = false): Message {
    const { properties, qos, retain } = packet
    const plain = qos === 0 && !retain && properties === undefined && packet.natsHeader === undefined
    const natsBorn = !plain && isNatsBorn(packet)
    const reply = properties === undefined || properties === null ? '' : this.replyOf(properties, natsBorn)
    const message = messageWith(subject, reply, plain ? '' : headerOf(packet, natsBorn, retained), textOf(packet.payload))
    message.origin = packet
    message.qos = qos
    return message
  }

  /** The reply subject; empty when there is none, or one that no client may use. */
  private replyOf ({ responseTopic, correlationData }: PacketProperties, natsBorn: boolean): string {
    const reply = typeof responseTopic === 'string' ? this.names.subjectOf(responseTopic) : null
    if (reply === null || isReservedReply(reply)) return ''
    return replySubject(reply, natsBorn || !(correlationData instanceof Uint8Array) ? undefined : correlationData)
  }
}

function isPacket (origin: PublishPacket | RemoteOrigin | null): origin is PublishPacket {
  return origin !== null && !(origin instanceof RemoteOrigin)
}

function textOf (payload: Buffer | string): string {
  return typeof payload === 'string' ? Buffer.from(payload, 'utf8').toString('latin1') : payload.toString('latin1')
}
