import { isOfBroker } from '../broker/identity.ts'
import type { Logger } from '../options.ts'
import type { FrameReader } from './frames.ts'
import { Peer, type PeerPort } from './peer.ts'
import type { Presence, Urls } from './presence.ts'

// Beats without a word after which a node counts as dead, and after which what waits for it is given up.
const deadAfter = 3
const forgottenAfter = 30

/** Told who comes and goes. */
export interface MembersPort {
  readonly log: Logger
  /** Between heartbeats of Aedes, in milliseconds. */
  readonly hostBeat: number
  /** A node is there that may not know this one. */
  joined (): void
  /** @param mayLive whether its Aedes may live on */
  left (broker: string, mayLive: boolean): void
  /** Other addresses are there for clients. */
  urlsChanged (): void
}

/** The other nodes with a gateway: who is there, who is silent, who has left. */
export class Members {
  readonly peers = new Map<string, Peer>()
  private readonly port: MembersPort
  private readonly peerPort: PeerPort
  private readonly reader: FrameReader
  private known = JSON.stringify({ urls: [], wsUrls: [] })
  /** Whether there ever were other addresses for clients. */
  hadUrls = false

  constructor (port: MembersPort, peerPort: PeerPort, reader: FrameReader) {
    this.port = port
    this.peerPort = peerPort
    this.reader = reader
  }

  of (broker: string): Peer | null {
    for (const peer of this.peers.values()) if (peer.presence.broker === broker) return peer
    return null
  }

  // hot: once per message of another broker
  /** Whether what a broker publishes comes by the frames of its gateway, not by the queue. */
  isCovered (brokerId: string): boolean {
    for (const peer of this.peers.values()) if (isOfBroker(brokerId, peer.presence.broker)) return peer.isJoined
    return false
  }

  heard (presence: Presence): void {
    const peer = this.peers.get(presence.node)
    if (presence.isLeaving) {
      if (peer !== undefined) {
        // What is kept of a node that was silent and leaves is of one that lives.
        peer.isAlive = true
        this.keepListened(peer)
        this.remove(peer)
      }
      this.port.left(presence.broker, true)
    } else if (peer === undefined) {
      this.add(presence)
    } else {
      peer.heard(presence)
      this.setAlive(peer, true)
    }
    this.lookAtUrls()
  }

  /** An Aedes was born: the gateway of that id, if there was one, has died with the Aedes before, without a farewell. */
  born (broker: string): void {
    const before = this.of(broker)
    if (before === null) return
    this.remove(before)
    this.port.left(broker, false)
    this.lookAtUrls()
  }

  /** Its Aedes may live on, with its MQTT clients, which says so with its next heartbeat. */
  private keepListened (peer: Peer): void {
    const release = peer.interest.keepListened()
    setTimeout(() => {
      release()
      this.peerPort.changed()
    }, this.port.hostBeat).unref()
  }

  private add (presence: Presence): void {
    // A new life of a broker: its last one is over.
    const before = this.of(presence.broker)
    if (before !== null) this.remove(before)
    // It has to know this node before it is told anything.
    this.port.joined()
    const peer = new Peer(presence, this.peerPort, this.reader)
    this.peers.set(peer.id, peer)
    this.port.log.info({ node: peer.id, broker: presence.broker }, `node ${presence.broker} has joined`)
  }

  private remove (peer: Peer): void {
    this.peers.delete(peer.id)
    peer.close()
    this.port.log.info({ node: peer.id, broker: peer.presence.broker }, `node ${peer.presence.broker} has left`)
  }

  private setAlive (peer: Peer, isAlive: boolean): void {
    if (peer.isAlive === isAlive) return
    const { log } = this.port
    const { presence: { broker } } = peer
    if (isAlive) log.info({ node: peer.id, broker }, `node ${broker} is back`)
    else log.warn({ node: peer.id, broker }, `node ${broker} has not been heard of for ${deadAfter} heartbeats`)
    peer.setAlive(isAlive)
  }

  /**
   * A beat of this node has passed: who was not heard of since the last one misses one more.
   *
   * @param isSteady whether the others could have been heard
   */
  count (isSteady: boolean): void {
    for (const peer of [...this.peers.values()]) {
      peer.beats++
      if (!isSteady) {
        peer.missed = 0
      } else if (++peer.missed > forgottenAfter) {
        this.port.left(peer.presence.broker, false)
        this.remove(peer)
      } else if (peer.missed > deadAfter) {
        this.setAlive(peer, false)
      }
    }
    this.lookAtUrls()
  }

  /** Where clients may go besides: the living nodes that are not about to leave. */
  get urls (): Urls {
    const living = [...this.peers.values()].filter(({ isAlive, presence }) => isAlive && !presence.isLameDuck).map(({ presence }) => presence)
    return { urls: distinct(living.flatMap(({ urls }) => urls)), wsUrls: distinct(living.flatMap(({ wsUrls }) => wsUrls)) }
  }

  private lookAtUrls (): void {
    const urls = JSON.stringify(this.urls)
    if (urls === this.known) return
    this.known = urls
    this.hadUrls = true
    this.port.urlsChanged()
  }

  close (): void {
    for (const peer of this.peers.values()) peer.close()
    this.peers.clear()
  }
}

function distinct (urls: readonly string[]): string[] {
  return [...new Set(urls)].sort()
}
