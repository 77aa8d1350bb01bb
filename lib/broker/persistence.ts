import { NatsError } from '../errors.ts'
import type { HostBroker, PublishPacket } from './host.ts'

/** Names a client to a persistence. */
export interface PersistenceClient {
  readonly id: string
}

/** A subscription as Aedes stores it; `rh`, `rap` and `nl` are MQTT 5's subscription options. */
export interface SessionSubscription {
  topic: string
  qos: 0 | 1 | 2
  rh?: number
  rap?: boolean
  nl?: boolean
}

/** A packet in a client's outgoing queue, which `messageId` names once `outgoingUpdate` has set it. */
export interface OutgoingPacket extends PublishPacket {
  messageId?: number | undefined
}

/**
 * What the stores use of Aedes' persistence (`broker.persistence`): a part of its public methods, with promises. Aedes
 * 1.2 and 2 both call them so, without a callback, and listen() takes only persistences whose setup() is asynchronous.
 */
export interface HostPersistence {
  /**
   * Two at once for one client that begin with the same filter lose the promise of the first (broadcastPersistence.js
   * keeps one waiter for each): ask one at a time.
   */
  addSubscriptions (client: PersistenceClient, subscriptions: SessionSubscription[]): Promise<unknown>
  removeSubscriptions (client: PersistenceClient, filters: string[]): Promise<unknown>
  subscriptionsByClient (client: PersistenceClient): Promise<SessionSubscription[] | null>
  outgoingStream (client: PersistenceClient): AsyncIterable<OutgoingPacket>
  outgoingUpdate (client: PersistenceClient, packet: OutgoingPacket): Promise<unknown>
  outgoingClearMessageId (client: PersistenceClient, packet: { messageId: number }): Promise<unknown>
}

const methods = [
  'addSubscriptions', 'removeSubscriptions', 'subscriptionsByClient', 'outgoingStream', 'outgoingUpdate', 'outgoingClearMessageId'
] as const

/** @throws {NatsError} NATS_ERR_BROKER, saying what is missing */
export function persistenceOf (broker: HostBroker): HostPersistence {
  const { persistence } = broker as unknown as { persistence?: HostPersistence }
  const missing = methods.filter((name) => typeof persistence?.[name] !== 'function')
  if (persistence === undefined || missing.length > 0) {
    throw new NatsError('NATS_ERR_BROKER', `the persistence of the Aedes broker has no ${missing.join(', ')}`)
  }
  return persistence
}
