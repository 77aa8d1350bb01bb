import { randomBytes } from 'node:crypto'
import type { Message } from '../wire/message.ts'
import type { PublishPacket } from './host.ts'

/** Every client id of ours in Aedes begins with it; MQTT clients may have no such id. */
export const ownIdPrefix = 'nats:'

/**
 * An id for a NATS connection, as Aedes and its hooks see it.
 *
 * @param name what it has to be called; it holds no `/`, which the ids of durable groups begin with
 */
export function connectionId (name = randomBytes(12).toString('hex')): string {
  return ownIdPrefix + name
}

/** What is known of the packet that a message from another node was published as. */
export class RemoteOrigin {
  readonly clientId: string | undefined
  readonly retain: boolean

  constructor (clientId: string | undefined, retain: boolean) {
    this.clientId = clientId
    this.retain = retain
  }
}

/** What a message was published as, where that is known; null for one from NATS that entered here and was not stored. */
export function originOf ({ origin }: Message): PublishPacket | RemoteOrigin | null {
  return origin as PublishPacket | RemoteOrigin | null
}

/** Whether a NATS client published this packet, at this node or another one. */
export function isNatsBorn ({ clientId }: Pick<PublishPacket, 'clientId'> | RemoteOrigin): boolean {
  return clientId !== undefined && clientId.startsWith(ownIdPrefix)
}

/**
 * The broker id under which QoS 0 messages leave this broker, with a counter of their own. Aedes drops a packet whose
 * counter is not above the last one that a subscriber saw from that broker (`dedupe` in lib/client.js), and it counts a
 * QoS 1 packet before it is stored: QoS 0 packets in the same count would overtake it and have it thrown away.
 */
export function laneId (brokerId: string): string {
  return brokerId + laneSuffix
}

const laneSuffix = '/nats'

// hot: once per message from another broker
/** Whether an id is that of a broker, or of its lane. */
export function isOfBroker (id: string, brokerId: string): boolean {
  return id === brokerId || (id.length === brokerId.length + laneSuffix.length && id.startsWith(brokerId) && id.endsWith(laneSuffix))
}

/** Where a counter starts, so that no two lives of a broker with a fixed id use the same numbers. */
export function counterStart (): number {
  return Date.now() * 1024
}

// Counters below it are not made from the time.
const firstDated = Date.UTC(2020, 0) * 1024

/** When a packet with this counter entered its broker, in milliseconds since 1970; null when the counter does not tell. */
export function publishedAt (counter: number): number | null {
  return counter > firstDated ? Math.floor(counter / 1024) : null
}
