import type { FacadeTarget } from '../broker/facade.ts'
import type { PublishPacket } from '../broker/host.ts'
import { NatsError } from '../errors.ts'
import type { Producer } from '../routing/receiver.ts'
import type { Message } from '../wire/message.ts'
import type { Client } from './client.ts'
import { Subscription } from './subscription.ts'

/** What the host does with a NATS client: it holds the facade, which calls this. */
export class HostSide implements FacadeTarget {
  private readonly client: Client

  constructor (client: Client) {
    this.client = client
  }

  end (takenOver: boolean): void {
    if (takenOver) this.client.fail(new NatsError('NATS_ERR_TAKEN_OVER', this.client.facade.id))
    else this.client.close()
  }

  deliver (packet: PublishPacket): void {
    const { names, router, bridge } = this.client.space
    const subject = names.subjectOf(packet.topic)
    if (subject === null) return
    // Hosts leave out what is 0.
    const message = bridge.messageOf({ ...packet, qos: packet.qos ?? 0 }, subject)
    // It is for this client, whatever its QoS, and not in the store of a durable group.
    message.qos = 0
    for (const receiver of router.match(subject)) {
      if (receiver instanceof Subscription && receiver.owner === this.client) receiver.deliver(message, null)
    }
    this.client.services.flusher.flush()
  }

  unsubscribe (topicFilters: readonly string[]): void {
    for (const subscription of this.client.subscriptions.values()) {
      if (subscription.topicFilters.some((topicFilter) => topicFilters.includes(topicFilter))) this.client.remove(subscription)
    }
  }

  /** The message as `authorizeForward` lets it through; null when it does not. */
  forward (message: Message, producer: Producer | null): Message | null {
    const { space: { bridge }, services: { policy } } = this.client
    const packet = policy.forward(this.client.facade, bridge.forwardPacket(message, producer?.clientId))
    // Where the host took off what the mountpoint stands for, the subject is what it is.
    return packet === null ? null : bridge.changed(message, packet, bridge.changedSubject(message, packet) ?? message.subject)
  }
}
