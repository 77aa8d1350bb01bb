import type { MqListener, PublishPacket } from '../broker/host.ts'
import { isOfBroker } from '../broker/identity.ts'
import type { HostLink } from '../broker/link.ts'
import type { ReservedTopics } from '../broker/reserved-topics.ts'
import type { Logger } from '../options.ts'
import { type BatchHead, readHead } from './frames.ts'
import { type Presence, readPresence } from './presence.ts'

/** Takes what other nodes, and this one, have said. */
export interface ReceptionPort {
  presence (presence: Presence): void
  batch (text: string, head: BatchHead): void
  /** An Aedes was born, with a gateway or without. */
  birth (broker: string): void
}

/** Listens on the reserved topics. */
export class Reception {
  /** Packets there that clients have published: at this node, or at one without the gateway. */
  forged = 0
  private readonly link: HostLink
  private readonly log: Logger
  private readonly listeners: readonly (readonly [topicFilter: string, listener: MqListener])[]

  constructor (link: HostLink, log: Logger, { allPresence, batches, allBirths }: ReservedTopics, port: ReceptionPort) {
    this.link = link
    this.log = log
    this.listeners = [
      [allPresence, this.listener(({ payload }) => {
        const presence = readPresence(payload.toString())
        if (presence !== null) port.presence(presence)
      })],
      [batches, this.listener(({ payload }) => {
        const text = payload.toString('latin1')
        const head = readHead(text)
        if (head !== null) port.batch(text, head)
      })],
      [allBirths, this.listener(({ payload }) => { port.birth(payload.toString()) })]
    ]
  }

  private listener (take: (packet: PublishPacket) => void): MqListener {
    return (packet, done) => {
      done()
      if (!this.isForged(packet)) take(packet)
    }
  }

  /** Only gateways and Aedes itself publish there; Aedes names the client otherwise. */
  private isForged ({ clientId, brokerId = '' }: PublishPacket): boolean {
    if (clientId === undefined) return false
    const { broker, others } = this.link
    // The gateway where a packet enters has counted it, whether the queue brought it here or not.
    if (!isOfBroker(brokerId, broker.id) && others?.isCovered(brokerId) !== true) this.count(clientId)
    return true
  }

  private count (client: string): void {
    if (this.forged++ === 0) this.log.warn({ client }, `client ${client} publishes on topics that are reserved for gateways: ignored, and counted from here on`)
  }

  listen (): void {
    this.link.onForged = (client) => { this.count(client) }
    for (const [topicFilter, listener] of this.listeners) this.link.listen(topicFilter, listener)
  }

  close (): void {
    this.link.onForged = null
    for (const [topicFilter, listener] of this.listeners) this.link.unlisten(topicFilter, listener)
  }
}
