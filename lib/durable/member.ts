import type { Message } from '../wire/message.ts'
import type { Held } from './held.ts'

/** A subscription, as its durable group sees it. */
export interface Recipient {
  /** The subscription subject. */
  readonly filter: string
  /** The connection that it belongs to. */
  readonly owner: object
  /** Whether its connection keeps up with what it is sent. */
  readonly isKeepingUp: boolean
  /** Calls back once it keeps up again, or is closed. */
  whenKeepingUp (callback: () => void): void
  /**
   * Sends a message; false when the host forbids it, or the subscription has ended.
   *
   * @param asks the reply subject of the message itself, where it carries one that acknowledges instead; else ''
   */
  take (message: Message, asks: string): boolean
  /** Calls back once the client has read what it was sent so far: a PING that it answers. */
  whenRead (callback: () => void): void
}

/** A present member of a durable group. */
export class Member {
  readonly recipient: Recipient
  /** What it has and has not acknowledged, oldest delivery first. */
  readonly pending = new Set<Held>()
  /** Its subscription has ended; it may still acknowledge. */
  isLeaving = false
  /** Delivered to since the last `whenRead`. */
  isRead = true
  /** Waits for its connection to keep up. */
  isClogged = false

  constructor (recipient: Recipient) {
    this.recipient = recipient
  }

  /** How many more messages it can be given. */
  capacity (maxAckPending: number): number {
    if (this.isLeaving || this.isClogged || !this.recipient.isKeepingUp) return 0
    return Math.max(0, maxAckPending - this.pending.size)
  }
}
