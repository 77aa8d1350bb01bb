import type { Message } from '../wire/message.ts'

/** Something that a slow reader clogs. */
export interface Clog {
  /** How long whoever publishes waits for it at the most, in milliseconds; 10 unless told. */
  readonly patience?: number
  /** Calls back once it is free again. */
  whenRelieved (callback: () => void): void
}

/** Whoever publishes; it is slowed down when a receiver does not keep up. */
export interface Producer {
  /** Its client id in Aedes. */
  readonly clientId: string
  /** Whether it gets its own messages. */
  readonly echo: boolean
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

/** Another node with a gateway, as routing sees it. */
export interface Node extends Clog {
  readonly id: string
  /** Whether it has been heard of lately. */
  readonly isAlive: boolean
  /** Whether it may be gone: members of queue groups elsewhere are the better choice. */
  readonly isLate: boolean
  /** Whether so much waits for it that publishers should slow down. */
  readonly isCongested: boolean
  /** Whether `choose` was called since the last `send`. */
  readonly isChosen: boolean
  /** A member of a queue group there gets the message that is sent next. */
  choose (queue: string): void
  /**
   * Sends a message.
   *
   * @param isPlain whether plain subscriptions there get it, besides the groups that were chosen
   * @param isHidden whether wildcards at the start of a filter do not match its subject
   * @param producer who published it here; null where it comes from elsewhere
   * @param isPassed whether the node may not pass it on
   */
  send (message: Message, mountpoint: string, isPlain: boolean, isHidden: boolean, producer: Producer | null, isPassed?: boolean): void
}

/** What a node wants: all subscriptions to one filter there, of one queue group or of none. */
export interface RemoteReceiver extends Receiver {
  readonly node: Node
  readonly mountpoint: string
  /** How many subscriptions that are. */
  readonly members: number
}

export function isRemote (receiver: Receiver): receiver is RemoteReceiver {
  return 'node' in receiver
}
