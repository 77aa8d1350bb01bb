import { filterToTopicFilter } from '../subject/mapping.ts'
import type { MqListener, PublishPacket } from './host.ts'
import { isNatsBorn } from './identity.ts'
import type { HostLink } from './link.ts'

/** Takes a packet from the broker; `natsBorn` when a NATS client of another node published it. */
export type Receive = (packet: PublishPacket, natsBorn: boolean) => void

interface Registration {
  readonly listener: MqListener
  count: number
}

/**
 * A level that the queue may take literally. mqemitter-redis hands filters to Redis as globs and counts them in a
 * plain object: a level with `* ? [ ] \` is heard as `+`, and so is a name of `Object.prototype`. The trie decides.
 */
function safeFilter (topicFilter: string): string {
  if (topicFilter in {}) return '+'
  return topicFilter.split('/').map((level) => /[*?[\]\\]/.test(level) ? '+' : level).join('/')
}

/**
 * Where messages from MQTT clients, the host and other nodes come in: one listener at the queue for each topic filter
 * that any NATS subscription needs.
 */
export class Inlet {
  private readonly link: HostLink
  private readonly receive: Receive
  private readonly registrations = new Map<string, Registration>()
  /** Packets of this turn of the event loop: a packet that several filters match comes several times. */
  private readonly seen = new Set<PublishPacket>()
  private readonly forget = (): void => { this.seen.clear() }

  constructor (link: HostLink, receive: Receive) {
    this.link = link
    this.receive = receive
  }

  /** Listens for a NATS subscription. Nothing happens for a filter that no topic can match. */
  add (filter: string): void {
    const topicFilter = this.topicFilterOf(filter)
    if (topicFilter === null) return
    const known = this.registrations.get(topicFilter)
    if (known !== undefined) {
      known.count++
      return
    }
    const listener: MqListener = (packet, done) => {
      done()
      this.take(packet)
    }
    this.registrations.set(topicFilter, { listener, count: 1 })
    this.link.listen(topicFilter, listener)
  }

  remove (filter: string): void {
    const topicFilter = this.topicFilterOf(filter)
    const known = topicFilter === null ? undefined : this.registrations.get(topicFilter)
    if (topicFilter === null || known === undefined || --known.count > 0) return
    this.registrations.delete(topicFilter)
    this.link.unlisten(topicFilter, known.listener)
  }

  close (): void {
    for (const [topicFilter, { listener }] of this.registrations) this.link.unlisten(topicFilter, listener)
    this.registrations.clear()
  }

  private topicFilterOf (filter: string): string | null {
    const topicFilter = filterToTopicFilter(filter, this.link.broker.maxTopicLevels)
    return topicFilter === null ? null : safeFilter(topicFilter)
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
