import type { PublishPacket } from '../broker/host.ts'
import { inTime, retainedFor } from '../broker/retained.ts'
import type { Clog, Producer } from '../routing/receiver.ts'
import { stallShare } from '../wire/limits.ts'
import type { Message } from '../wire/message.ts'
import type { Client } from './client.ts'
import { type Granted, Subscription } from './subscription.ts'

// What a message takes besides its text while it waits, about.
const waitingBytes = 256

interface Waiting {
  readonly message: Message
  readonly producer: Producer | null
}

/**
 * A SUB that gets the retained messages first (MQTT 3.1.1, 3.3.1.3). Live ones wait until it has them all; one that is
 * in the store too by then comes as what it is, live.
 */
export class RetainedSubscription extends Subscription implements Clog {
  private readonly client: Client
  private waiting: Waiting[] | null = []
  private bytes = 0
  /** The last one of each subject among those that wait, of those that the broker retains. */
  private readonly latest = new Map<string, Message>()
  private relief: (() => void)[] = []
  private isReading = true

  constructor (client: Client, granted: Granted) {
    super(client, granted)
    this.client = client
  }

  // hot: once per delivery
  override deliver (message: Message, producer: Producer | null): boolean {
    if (this.waiting === null) return super.deliver(message, producer)
    if (this.closed || (producer === this.owner && !this.owner.echo)) return false
    this.waiting.push({ message, producer })
    if ((message.origin as PublishPacket | null)?.retain === true) this.latest.set(message.subject, message)
    this.bytes += waitingBytes + message.tail.length
    const { maxPending } = this.client.outbox
    if (this.bytes > maxPending) this.client.overflow()
    else if (this.bytes > maxPending * stallShare) producer?.stall(this)
    return true
  }

  override end (): void {
    super.end()
    this.waiting = null
    this.latest.clear()
  }

  /** Reads the retained messages, not faster than the client does, and lets the live ones follow. */
  begin (): void {
    this.read().catch((error: Error) => {
      const { services, details } = this.client
      services.log.error(details, `cannot read the retained messages of ${this.subject}: ${error.message}`)
    }).finally(() => { this.proceed() })
  }

  private proceed (): void {
    const waiting = this.waiting ?? []
    this.waiting = null
    this.latest.clear()
    for (const { message, producer } of waiting) super.deliver(message, producer)
    this.client.services.flusher.flush()
    this.isReading = false
    const { relief } = this
    this.relief = []
    for (const callback of relief) callback()
  }

  private async read (): Promise<void> {
    const { client, filter } = this
    const { space: { names, bridge }, services: { flusher, link } } = client
    // What is published from then on comes live.
    await inTime(new Promise<void>((resolve) => { client.whenLive(resolve) }))
    for await (const { packet, subject } of retainedFor(link, names, filter)) {
      if (this.closed) return
      if (packet.clientId === client.clientId && !client.echo) continue
      const message = bridge.messageOf(packet, subject, true)
      if (this.latest.get(subject)?.body === message.body) continue
      super.deliver(message, null)
      flusher.flush()
      if (client.outbox.isCongested) await new Promise<void>((resolve) => { client.outbox.whenRelieved(resolve) })
    }
  }

  /** Calls back once it has all that is retained, or gets no more of it, and the live messages that waited. */
  whenRelieved (callback: () => void): void {
    if (this.isReading) this.relief.push(callback)
    else callback()
  }
}

/** Calls back once every SUB of a client has the retained messages that it gets. */
export function whenRetained ({ retained }: Client, callback: () => void): void {
  if (retained === null) callback()
  else retained.whenRelieved(callback)
}
