import { filterToTopicFilter, natsOnlyTopic, subjectToTopic, topicFilterToFilter, topicToSubject } from '../subject/mapping.ts'
import { isReservedReply } from '../wire/limits.ts'
import { type Message, messageOf, withPayload } from '../wire/message.ts'
import type { Done, PublishPacket } from './host.ts'
import type { HostLink } from './link.ts'

/** What is known of a subject on the MQTT side; kept by whoever routes, filled in here. */
export interface Destination {
  readonly subject: string
  /** The topic; null for a NATS-only subject, undefined until somebody asks. */
  topic: string | null | undefined
  listened: boolean
  /** The generation of the link in which `listened` was looked up. */
  listenedAt: number
}

/** Messages to packets and back, subjects to what the host's hooks see and back. */
export class Bridge {
  private readonly link: HostLink

  constructor (link: HostLink) {
    this.link = link
  }

  /** The topic of a subject; null when it has none. */
  topicOf (subject: string): string | null {
    return subjectToTopic(subject, this.link.broker.maxTopicLevels)
  }

  /** The topic that hooks see for a subject. */
  hookTopic (subject: string): string {
    return this.topicOf(subject) ?? natsOnlyTopic(subject)
  }

  /** The topic filter that hooks see for a subscription. */
  hookFilter (filter: string): string {
    return filterToTopicFilter(filter, this.link.broker.maxTopicLevels) ?? natsOnlyTopic(filter)
  }

  /** The filter that a hook meant with its topic filter; one that nothing matches when that has no subject. */
  filterOf (topicFilter: string): string {
    return topicFilterToFilter(topicFilter) ?? ''
  }

  /** Whether a topic can match the filter at all. */
  isTopicFilter (filter: string): boolean {
    return filterToTopicFilter(filter, this.link.broker.maxTopicLevels) !== null
  }

  /** Whether something wants to see every publish. */
  get isObserved (): boolean {
    return this.link.isObserved
  }

  // hot: once per message from NATS
  /** Whether anybody but the NATS clients of this node may listen to the subject. */
  hasListener (destination: Destination): boolean {
    if (destination.listenedAt !== this.link.generation) {
      destination.listened = this.link.hasListener(destination.subject) && this.destinationTopic(destination) !== null
      destination.listenedAt = this.link.generation
    }
    return destination.listened
  }

  /** The topic of a destination; null when it has none. */
  destinationTopic (destination: Destination): string | null {
    if (destination.topic === undefined) destination.topic = this.topicOf(destination.subject)
    return destination.topic
  }

  // hot: once per message that somebody outside NATS wants
  /** The PUBLISH for a message, as hooks see it and the broker takes it. */
  packetOf (message: Message, topic: string, qos: 0 | 1): PublishPacket {
    const packet: PublishPacket = { cmd: 'publish', topic, payload: message.payload, qos, retain: false, dup: false }
    const responseTopic = message.reply === '' ? null : this.topicOf(message.reply)
    if (responseTopic !== null) packet.properties = { responseTopic }
    return packet
  }

  /** A packet for one call of `authorizeForward`: the one that came in, or one for a message from NATS. */
  forwardPacket (message: Message, clientId: string | undefined): PublishPacket {
    if (message.origin !== null) return { ...message.origin as PublishPacket }
    const packet = this.packetOf(message, this.hookTopic(message.subject), 0)
    if (clientId !== undefined) packet.clientId = clientId
    return packet
  }

  /** The message as a hook left its packet. */
  changed (message: Message, packet: PublishPacket): Message {
    const payload = textOf(packet.payload)
    const subject = packet.topic === this.hookTopic(message.subject)
      ? message.subject
      : topicToSubject(packet.topic) ?? message.subject
    return payload === message.body && subject === message.subject ? message : withPayload(message, subject, payload)
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
  /** The message for a packet. `subject` is that of its topic. */
  messageOf (packet: PublishPacket, subject: string): Message {
    const responseTopic = packet.properties?.responseTopic
    const reply = responseTopic === undefined ? '' : topicToSubject(responseTopic) ?? ''
    const message = messageOf(subject, isReservedReply(reply) ? '' : reply, textOf(packet.payload))
    message.origin = packet
    message.qos = packet.qos
    return message
  }
}

function textOf (payload: Buffer | string): string {
  return typeof payload === 'string' ? Buffer.from(payload, 'utf8').toString('latin1') : payload.toString('latin1')
}
