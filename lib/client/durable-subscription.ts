import type { Durables, Membership } from '../durable/durables.ts'
import type { Recipient } from '../durable/member.ts'
import type { AckKind } from '../options.ts'
import type { Producer } from '../routing/receiver.ts'
import type { Message } from '../wire/message.ts'
import type { Client } from './client.ts'
import { type Granted, Subscription } from './subscription.ts'

/**
 * A SUB of a client with a durable queue group. Messages of QoS 1 and 2 reach it only through the store, by `take`; the
 * live ones tell that there is something to take. Messages of QoS 0 are not stored, and reach it live.
 */
export class DurableSubscription extends Subscription implements Recipient {
  private readonly client: Client
  private readonly membership: Membership

  constructor (client: Client, durables: Durables, kind: AckKind, granted: Granted & { readonly queue: string }) {
    super(client, granted)
    this.client = client
    this.membership = durables.join(client.space, granted.queue, kind, this)
  }

  // hot: once per live message
  override deliver (message: Message, producer: Producer | null): boolean {
    if (message.qos === 0) return super.deliver(message, producer)
    if (this.closed) return false
    this.wake()
    return true
  }

  // hot: once per live message with a QoS above 0
  wake (): void {
    this.membership.wake()
  }

  take (message: Message): boolean {
    return super.deliver(message, null)
  }

  override end (): void {
    super.end()
    this.membership.leave()
  }

  get isKeepingUp (): boolean {
    return !this.client.outbox.isCongested
  }

  whenKeepingUp (callback: () => void): void {
    this.client.outbox.whenRelieved(callback)
  }

  whenRead (callback: () => void): void {
    this.client.sendPing(callback)
  }
}
