import type { MqListener, PublishPacket } from './host.ts'
import { isNatsBorn, isOfBroker } from './identity.ts'
import type { HostLink } from './link.ts'
import { Patterns } from './patterns.ts'
import { isBelieved, isReserved } from './reserved-topics.ts'

/**
 * Takes a packet from the broker.
 *
 * @param natsBorn whether a NATS client of another node published it
 * @param isShared whether the gateways of other nodes take it from the queue, too
 */
export type Receive = (packet: PublishPacket, natsBorn: boolean, isShared: boolean) => void

/**
 * Where messages from MQTT clients, the host and other nodes come in.
 *
 * On a queue of this process alone: one listener for each topic filter that any NATS subscription needs. On one that nodes
 * share: what this broker publishes is seen as it is handed to the queue; the gateways of other nodes send what they
 * have. Listeners are there for nodes without the gateway only.
 */
export class Inlet {
  private readonly link: HostLink
  private readonly receive: Receive
  private readonly patterns: Patterns
  private readonly registrations = new Map<string, MqListener>()
  private isListening = true
  /** What nobody needed any more at some time of this turn of the event loop. */
  private readonly unneeded = new Set<string>()
  /** Packets of this turn of the event loop: a packet that several filters match comes several times. */
  private readonly seen = new Set<PublishPacket>()
  private readonly forget = (): void => { this.seen.clear() }
  private readonly unregisterUnneeded = (): void => { this.cleanUp() }

  /** @param maxPatterns most topic filters with wildcards to listen to at a shared queue */
  constructor (link: HostLink, receive: Receive, maxPatterns = Infinity) {
    this.link = link
    this.receive = receive
    this.patterns = new Patterns(link.shared ? maxPatterns : Infinity, link.shared)
    if (link.shared) link.onEmit = (packet) => { this.emitted(packet) }
  }

  /** Listens to a topic filter, once more. */
  add (topicFilter: string): void {
    this.patterns.add(topicFilter)
    this.adjust()
  }

  /**
   * Takes back one `add`. The queue forgets a listener in a later turn (mqemitter's removeListener): one for each SUB and
   * UNSUB of a turn would make it look through all of them for each.
   */
  remove (topicFilter: string): void {
    this.patterns.remove(topicFilter)
    this.adjust()
  }

  /** Whether there may be brokers that nobody but the queue brings messages of. */
  listen (isListening: boolean): void {
    if (isListening === this.isListening) return
    this.isListening = isListening
    if (isListening) for (const topicFilter of this.patterns.wanted) this.register(topicFilter)
    else this.unregisterAll()
  }

  private adjust (): void {
    const { added, removed } = this.patterns.changes()
    if (!this.isListening) return
    for (const topicFilter of added) this.register(topicFilter)
    for (const topicFilter of removed) {
      if (this.unneeded.size === 0) setImmediate(this.unregisterUnneeded)
      this.unneeded.add(topicFilter)
    }
  }

  private cleanUp (): void {
    for (const topicFilter of this.unneeded) if (!this.patterns.has(topicFilter)) this.unregister(topicFilter)
    this.unneeded.clear()
  }

  private register (topicFilter: string): void {
    if (this.registrations.has(topicFilter)) return
    const listener: MqListener = (packet, done) => {
      done()
      this.take(packet)
    }
    this.registrations.set(topicFilter, listener)
    this.link.listen(topicFilter, listener)
  }

  private unregister (topicFilter: string): void {
    const listener = this.registrations.get(topicFilter)
    if (listener === undefined) return
    this.registrations.delete(topicFilter)
    this.link.unlisten(topicFilter, listener)
  }

  private unregisterAll (): void {
    for (const topicFilter of [...this.registrations.keys()]) this.unregister(topicFilter)
  }

  close (): void {
    this.unregisterAll()
    this.link.onEmit = null
  }

  // hot: once per message that this broker hands to a shared queue
  private emitted (packet: PublishPacket): void {
    if (packet.clientId !== undefined && isBelieved(packet.topic) && this.isOurs(packet.brokerId)) this.link.onForged?.(packet.clientId)
    if (isReserved(packet.topic)) return
    if (this.isOurs(packet.brokerId) ? !isNatsBorn(packet) : !this.isListening) this.receive(packet, false, false)
  }

  private isOurs (brokerId: string | undefined): boolean {
    return brokerId !== undefined && isOfBroker(brokerId, this.link.broker.id)
  }

  // hot: once per message from the queue and filter that matches it
  private take (packet: PublishPacket): void {
    if (this.registrations.size > 1) {
      if (this.seen.has(packet)) return
      if (this.seen.size === 0) setImmediate(this.forget)
      this.seen.add(packet)
    }
    const { link } = this
    const natsBorn = isNatsBorn(packet)
    if (!link.shared) {
      // Our own: its NATS receivers have it already.
      if (!natsBorn || !this.isOurs(packet.brokerId)) this.receive(packet, natsBorn, false)
    } else if (!this.isOurs(packet.brokerId) && !isReserved(packet.topic) && !this.isCovered(packet.brokerId)) {
      this.receive(packet, natsBorn, true)
    }
  }

  private isCovered (brokerId: string | undefined): boolean {
    return brokerId !== undefined && this.link.others?.isCovered(brokerId) === true
  }
}
