import { connect, type ConnectionOptions, type MsgHdrs, type NatsConnection, type PublishOptions } from '@nats-io/transport-node'
import type { Teardown } from './brokers.ts'

export interface NatsReceived {
  /** The name that was given to the subscription. */
  readonly by: string
  readonly subject: string
  readonly text: string
  readonly headers: MsgHdrs | undefined
}

/** A NATS client that keeps what it receives, over all its subscriptions in the order of arrival. */
export class NatsPeer {
  readonly nats: NatsConnection
  readonly received: NatsReceived[] = []
  private waiting: (() => void) | null = null

  constructor (nats: NatsConnection) {
    this.nats = nats
  }

  /** Subscribes; `by` is the filter unless told. Live once it resolves. */
  async subscribe (filter: string, { queue, by = filter }: { queue?: string, by?: string } = {}): Promise<void> {
    this.nats.subscribe(filter, {
      ...queue === undefined ? {} : { queue },
      callback: (error, message) => {
        if (error !== null) throw error
        this.received.push({ by, subject: message.subject, text: message.string(), headers: message.headers })
        this.waiting?.()
      }
    })
    await this.nats.flush()
  }

  /** The next messages, in the order of arrival. */
  async take (count = 1): Promise<NatsReceived[]> {
    while (this.received.length < count) await new Promise<void>((resolve) => { this.waiting = resolve })
    return this.received.splice(0, count)
  }

  /**
   * All messages before the first on a subject that a subscription with that filter got. Later copies of it, by
   * other subscriptions, do not count in the next call.
   */
  async takeUntil (end: string): Promise<NatsReceived[]> {
    for (;;) {
      const at = this.received.findIndex(({ by }) => by === end)
      if (at !== -1) return this.received.splice(0, at + 1).filter(({ subject }) => subject !== end)
      await new Promise<void>((resolve) => { this.waiting = resolve })
    }
  }

  /** Publishes, and resolves once the gateway has seen to it: one of QoS 1 or 2 is stored then. */
  async publish (subject: string, payload: string | Uint8Array = '', options: PublishOptions = {}): Promise<void> {
    this.nats.publish(subject, payload, options)
    await this.nats.flush()
  }
}

/** Connects with the official client. A `verbose` one publishes with QoS 1. */
export async function connectNats (t: Teardown, url: string, options: ConnectionOptions = {}): Promise<NatsPeer> {
  const nats = await connect({ servers: url, ...options })
  t.teardown(() => nats.close())
  return new NatsPeer(nats)
}
