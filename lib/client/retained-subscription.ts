import { retainedFor } from '../broker/retained.ts'
import type { Producer } from '../routing/router.ts'
import type { Message } from '../wire/message.ts'
import type { Client } from './client.ts'
import { type Granted, Subscription } from './subscription.ts'

// What a message takes besides its text while it waits, about.
const waitingBytes = 256

interface Waiting {
  readonly message: Message
  readonly producer: Producer | null
}

/** A SUB that gets the retained messages first (MQTT 3.1.1, 3.3.1.3). Live ones wait until it has them all. */
export class RetainedSubscription extends Subscription {
  private readonly client: Client
  private waiting: Waiting[] | null = []
  private bytes = 0

  constructor (client: Client, granted: Granted) {
    super(client, granted)
    this.client = client
  }

  // hot: once per delivery
  override deliver (message: Message, producer: Producer | null): boolean {
    if (this.waiting === null) return super.deliver(message, producer)
    if (this.closed || (producer === this.owner && !this.owner.echo)) return false
    this.waiting.push({ message, producer })
    this.bytes += waitingBytes + message.tail.length
    if (this.bytes > this.client.outbox.maxPending) this.client.overflow()
    return true
  }

  /** Reads the retained messages, not faster than the client does, and lets the live ones follow. */
  async begin (): Promise<void> {
    const { client, filter } = this
    const { space: { names, bridge }, services: { flusher, link } } = client
    try {
      for await (const { packet, subject } of retainedFor(link, names, filter)) {
        if (this.closed) return
        super.deliver(bridge.messageOf(packet, subject, true), null)
        flusher.flush()
        if (client.outbox.isCongested) await new Promise<void>((resolve) => { client.outbox.whenRelieved(resolve) })
      }
    } catch (error) {
      client.services.log.error(client.details, `cannot read the retained messages of ${this.subject}: ${(error as Error).message}`)
    }
    const waiting = this.waiting ?? []
    this.waiting = null
    for (const { message, producer } of waiting) super.deliver(message, producer)
    flusher.flush()
  }
}
