import type { Done, PublishPacket, StoredSubscription } from './host.ts'

/** A packet that came to the store before its turn. */
export interface HeldEnqueue {
  readonly subscriptions: readonly StoredSubscription[]
  readonly packet: PublishPacket
  readonly resolve: (result: unknown) => void
  readonly reject: (error: Error) => void
}

/** The place of one packet in the order of its broker's counter, from its publish until it is emitted. */
export class Place {
  readonly counter: number
  /** It has come to the store, or never will. */
  enqueued = false
  /** Our own store has it, which answers for sure. */
  storing = false
  /** It is emitted, has failed, or is waited for no longer. */
  gone = false
  heldEnqueue: HeldEnqueue | null = null
  /** The packet that came to the queue before its turn. */
  heldPacket: PublishPacket | null = null
  heldDone: Done | undefined = undefined
  /** Whoever waits until it is stored. */
  stored: Done | null
  /** To be called when Aedes is done with the publish. */
  readonly finished: Done

  constructor (counter: number, stored: Done | null, finished: (place: Place, error?: Error | null) => void, done: Done | undefined) {
    this.counter = counter
    this.stored = stored
    this.finished = (error) => {
      finished(this, error)
      done?.(error)
    }
  }

  /** Tells whoever waits for the store, once. */
  settle (error: Error | null): void {
    const { stored } = this
    if (stored === null) return
    this.stored = null
    stored(error)
  }
}
