import type { MqListener, PublishPacket } from './host.ts'
import { isNatsBorn } from './identity.ts'
import type { HostLink } from './link.ts'
import { safeFilter } from './safe-filter.ts'

/** Takes a packet from the broker; `natsBorn` when a NATS client of another node published it. */
export type Receive = (packet: PublishPacket, natsBorn: boolean) => void

interface Registration {
  readonly listener: MqListener
  count: number
}

/**
 * Where messages from MQTT clients, the host and other nodes come in: one listener at the queue for each topic filter
 * that any NATS subscription needs.
 */
export class Inlet {
  private readonly link: HostLink
  private readonly receive: Receive
  private readonly registrations = new Map<string, Registration>()
  /** Topic filters that nobody needed any more in this turn of the event loop. */
  private readonly unneeded = new Set<string>()
  /** Packets of this turn of the event loop: a packet that several filters match comes several times. */
  private readonly seen = new Set<PublishPacket>()
  private readonly forget = (): void => { this.seen.clear() }
  private readonly unlisten = (): void => { this.unlistenUnneeded() }

  constructor (link: HostLink, receive: Receive) {
    this.link = link
    this.receive = receive
  }

  /** Listens to a topic filter, once more. */
  add (topicFilter: string): void {
    const safe = safeFilter(topicFilter)
    const known = this.registrations.get(safe)
    if (known !== undefined) {
      known.count++
      return
    }
    const listener: MqListener = (packet, done) => {
      done()
      this.take(packet)
    }
    this.registrations.set(safe, { listener, count: 1 })
    this.link.listen(safe, listener)
  }

  /**
   * Takes back one `add`. The queue forgets a listener in a later turn (mqemitter's removeListener): one for each SUB and
   * UNSUB of a turn would make it look through all of them for each.
   */
  remove (topicFilter: string): void {
    const safe = safeFilter(topicFilter)
    const known = this.registrations.get(safe)
    if (known === undefined || --known.count > 0) return
    if (this.unneeded.size === 0) setImmediate(this.unlisten)
    this.unneeded.add(safe)
  }

  private unlistenUnneeded (): void {
    for (const topicFilter of this.unneeded) {
      const known = this.registrations.get(topicFilter)
      if (known === undefined || known.count > 0) continue
      this.registrations.delete(topicFilter)
      this.link.unlisten(topicFilter, known.listener)
    }
    this.unneeded.clear()
  }

  close (): void {
    for (const [topicFilter, { listener }] of this.registrations) this.link.unlisten(topicFilter, listener)
    this.registrations.clear()
    this.unneeded.clear()
  }

  // hot: once per message from the broker and filter that matches it
  private take (packet: PublishPacket): void {
    if (this.registrations.size > 1) {
      if (this.seen.has(packet)) return
      if (this.seen.size === 0) setImmediate(this.forget)
      this.seen.add(packet)
    }
    const natsBorn = isNatsBorn(packet)
    // Our own: its NATS receivers have it already.
    if (natsBorn && (packet.brokerId === this.link.laneId || packet.brokerId === this.link.broker.id)) return
    this.receive(packet, natsBorn)
  }
}
