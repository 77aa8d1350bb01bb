import type { PublishPacket } from '../broker/host.ts'

/** A stored message that this node has in hand for a group. */
export interface Claimed {
  /**
   * Names the message: `<broker id>:<broker counter>`. Stable over redeliveries, nodes and restarts; services see it
   * as `Nmqtt-Id`.
   */
  readonly id: string
  readonly packet: PublishPacket
  /** How often it was handed to a member before. */
  readonly deliveries: number
}

/** A claimed message that no member of this node asks for; it waits for one elsewhere, or to come. */
export interface Parked {
  readonly id: string
  readonly topic: string
}

/** Parked messages, oldest first, and where to go on from. */
export interface ParkedPage {
  readonly parked: readonly Parked[]
  /** For the next call; null after the last. */
  readonly next: string | null
}

/** How many messages a group has, by where they are. */
export interface Depth {
  readonly waiting: number
  /** In the hands of any node. */
  readonly claimed: number
  readonly parked: number
  /** Those of them that were handed to a member before. */
  readonly redelivered: number
  /** When the oldest of them was published, in milliseconds since 1970; null when there is none, or nobody knows. */
  readonly oldest: number | null
}

/** A group as the store knows it. */
export interface GroupRecord {
  /** The id of the group as a client in Aedes' persistence. */
  readonly group: string
  /** All topic filters that members have asked for and that have not expired, registered or contained in others. */
  readonly filters: readonly string[]
  /** When a member was last present, in milliseconds since 1970. */
  readonly seen: number
}

export interface StoreOptions {
  /** Most groups; one more is refused. */
  readonly maxDurables: number
  /** Most messages of a group, wherever they are; the oldest waiting ones are dropped for newer ones. */
  readonly maxDepth: number
  /** Time without a member after which a group, or a filter of it, is removed, in milliseconds. */
  readonly expiry: number
}

/** What a store tells about changes that it did not make for the caller. */
export interface StoreEvents {
  /** A group may have messages waiting, or parked, that it had not before: given back or parked by any node. */
  work (group: string): void
  /** The store cannot be reached, or can be again (null). Said once for each change. */
  trouble (problem: string | null): void
  /** Messages of a group were dropped because it held too many; the oldest first. */
  dropped (group: string, count: number): void
  /**
   * This node was thought dead (it slept, or Redis was away for it or lost its data), and others have taken back what it
   * had claimed: whatever it holds of the group is not its own any more. Also said to the members' nodes when another
   * node has removed the group; it is gone then, until somebody registers it again.
   */
  lost (group: string): void
}

/**
 * Where durable groups keep their messages. A group is a client in Aedes' own persistence, with QoS 1 subscriptions,
 * so that Aedes stores for it on any node; the store takes messages out of that client's queue.
 *
 * A message is waiting, claimed by one node, or parked, until it is acknowledged. Calls reject when the store is away
 * or the connection breaks; nothing is lost then, and the caller tries again (a claim whose answer was lost is given
 * back by the store itself). All topic filters are MQTT's.
 */
export interface DurableStore {
  /** Begins to renew this node's lease, to take back what nodes that are gone had claimed, to expire and to trim. */
  open (events: StoreEvents): Promise<void>
  /** Gives everything claimed by this node back, and ends. */
  close (): Promise<void>
  /**
   * Registers filters for a group, beside those that it has. One call at a time per group, whoever calls; filters that
   * others of the group contain are left out, since Aedes would store a message once for each. Does nothing when all
   * are registered. When it resolves, brokers of the cluster store for them.
   *
   * @throws {NatsError} NATS_ERR_MAX_DURABLES when there are `maxDurables` groups already
   */
  register (group: string, filters: readonly string[]): Promise<void>
  /**
   * Says which filters members on this node ask for now; the store keeps saying so, so that neither group nor filters
   * expire, until told otherwise. Empty when the last member is gone.
   */
  present (group: string, filters: readonly string[]): void
  /**
   * Takes up to `count` waiting messages, oldest first; those given back before all others. Fewer come also when they
   * are large, or some were not to be delivered, or it is the turn of another node, of which `work` tells; only when
   * none comes, none waits.
   *
   * @param members for how many; nodes that want messages at the same time get them by their number
   */
  claim (group: string, count: number, members?: number): Promise<Claimed[]>
  /** Messages are done. Counts only those that this node still has. @returns their number */
  ack (group: string, ids: readonly string[]): Promise<number>
  /** Gives messages back to the front of the queue, in this order. `delivered` counts them as handed out once more. */
  release (group: string, ids: readonly string[], delivered: boolean): Promise<void>
  /** Sets claimed messages aside, for members with other filters. */
  park (group: string, parked: readonly Parked[]): Promise<void>
  /** What is set aside, oldest first, about `count` at a time; `from` null is the beginning. */
  parked (group: string, from: string | null, count: number): Promise<ParkedPage>
  /** Claims messages that are set aside, in this order; those that another node was faster with are left out. */
  unpark (group: string, ids: readonly string[]): Promise<Claimed[]>
  depth (group: string): Promise<Depth>
  groups (): Promise<GroupRecord[]>
  /** Drops all messages of a group that nobody has in hand. @returns their number, as far as known */
  purge (group: string): Promise<number>
  /** Removes a group with its messages; nothing of it is left. */
  remove (group: string): Promise<void>
}
