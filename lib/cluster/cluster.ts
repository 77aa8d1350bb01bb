import { setTimeout as delay } from 'node:timers/promises'
import type { Done } from '../broker/host.ts'
import type { HostLink } from '../broker/link.ts'
import { type ReservedTopics, reservedTopicsOf } from '../broker/reserved-topics.ts'
import type { Logger } from '../options.ts'
import type { Node } from '../routing/receiver.ts'
import type { Spaces } from '../routing/spaces.ts'
import { Trie } from '../subject/trie.ts'
import { type BatchHead, FrameReader } from './frames.ts'
import { Heartbeat } from './heartbeat.ts'
import { Members } from './members.ts'
import { OwnInterest } from './own-interest.ts'
import type { Peer, PeerPort } from './peer.ts'
import { PlainNodes, type PlainNodesOption } from './plain-nodes.ts'
import { type Presence, presenceText, type Urls } from './presence.ts'
import { Reception } from './reception.ts'
import { Waiting } from './waiting.ts'

// Nodes that share a queue, as one NATS. Each tells the others what it wants, so that the node where a message enters knows
// who gets it, and names the members of queue groups:
//
//   NATS or MQTT client -> node A: router -- to its own subscriptions
//                                    |
//                                    +-- batch of frames -> queue -> node B: router -> its subscriptions
//                                    |
//                                    +-- broker.publish -> queue -> MQTT clients everywhere, nodes without the gateway

// How long it is waited for that others know what this node wants, in milliseconds.
const knownPatience = 2000
// How long those who were there may take to answer a node that is new, in milliseconds: there is no asking how many they are.
const answerTime = 100
// How long it may take to say goodbye, in milliseconds.
const farewell = 1000
// Between heartbeats of Aedes, unless the host chose.
const hostBeat = 60_000

/** What a cluster needs of its gateway. */
export interface ClusterPort {
  /** The id of this node. */
  readonly node: string
  readonly link: HostLink
  readonly log: Logger
  readonly plainNodes: PlainNodesOption
  /** Between heartbeats, in milliseconds. */
  readonly beat: number
  /** Where clients connect to this node. */
  urls (): Urls
  isLameDuck (): boolean
  /** Messages are stored for a durable group of this node. */
  wake (mountpoint: string, queue: string): void
  /** Other addresses are there for clients. */
  urlsChanged (): void
  /** Whether listeners at the queue are needed, for nodes without the gateway. */
  plainNodesChanged (mayPublish: boolean): void
}

/** The other nodes of this one. */
export class Cluster implements PeerPort {
  readonly node: string
  readonly interest: OwnInterest
  readonly members: Members
  /** What MQTT clients and hosts listen to on other nodes. */
  readonly listeners = new Trie<Node>()
  readonly plainNodes: PlainNodes
  /** What keeps nodes from hearing each other; null when nothing does. */
  problem: string | null = null
  /** Grows whenever the answer of `mayListen` may have changed. */
  generation = 0
  private readonly port: ClusterPort
  private readonly topics: ReservedTopics
  private readonly heartbeat: Heartbeat
  private readonly waiting: Waiting
  private readonly reception: Reception
  private spacesOf: Spaces | null = null
  private isLeaving = false
  private isSettled = false
  private hasEchoed = false
  private mayHaveAnswered = false
  private whenSettled: (() => void)[] = []

  constructor (port: ClusterPort) {
    const { link, log } = port
    const { broker } = link
    this.port = port
    this.node = port.node
    this.topics = reservedTopicsOf(broker.id)
    this.interest = new OwnInterest(() => link.listenedSubjects(), (frame) => { for (const peer of this.members.peers.values()) peer.tell(frame) })
    const heartbeatInterval = broker.opts?.heartbeatInterval ?? hostBeat
    this.members = new Members({
      log,
      hostBeat: heartbeatInterval,
      // It is told at once that this node is there.
      joined: () => {
        this.changed()
        if (!this.isLeaving) this.heartbeat.beat()
      },
      left: (id, mayLive) => {
        this.plainNodes.gatewayLeft(id, mayLive)
        this.lookForPlainNodes()
      },
      urlsChanged: () => { port.urlsChanged() }
    }, this, new FrameReader())
    const isCovered = (id: string): boolean => id === broker.id || this.members.isCovered(id)
    this.plainNodes = new PlainNodes(port.plainNodes, () => broker.brokers, isCovered, heartbeatInterval)
    this.heartbeat = new Heartbeat({
      say: (done) => { this.say(done) },
      heard: (isSteady) => { this.count(isSteady) },
      silent: (isSilent) => { this.heardNothing(isSilent) }
    }, port.beat)
    this.waiting = new Waiting((stamp) => this.isKnown(stamp), knownPatience)
    this.reception = new Reception(link, log, this.topics, {
      presence: (presence) => { this.takePresence(presence) },
      batch: (text, head) => { this.takeBatch(text, head) },
      birth: (id) => { this.takeBirth(id) }
    })
    link.onListened = (filter, isListened) => { this.interest.listens(filter, isListened) }
    link.others = this
  }

  /** Begins to look for other nodes. */
  start (spaces: Spaces): void {
    const { link } = this.port
    this.spacesOf = spaces
    this.reception.listen()
    link.whenLive(link.registration, () => { if (!this.isLeaving) this.heartbeat.start() })
  }

  /** Calls back once those who were there have had time to answer, and all that those want is known who did. */
  settled (callback: () => void): void {
    if (this.isSettled) callback()
    else this.whenSettled.push(callback)
  }

  get spaces (): Spaces {
    return this.spacesOf as Spaces
  }

  // hot: once per message of another broker
  /** Whether what a broker publishes comes by the frames of its gateway, not by the queue. */
  isCovered (brokerId: string): boolean {
    return this.members.isCovered(brokerId)
  }

  /** Whether something besides gateways may listen to a subject on another node. */
  mayListen (subject: string, isAlive: boolean): boolean {
    if (!this.isSettled || this.plainNodes.mayLive) return true
    const found: Node[] = []
    this.listeners.match(subject, found)
    // A silent node may only be held up: Redis keeps a while what is published to it. It is no responder meanwhile.
    return isAlive ? found.some((node) => node.isAlive) : found.length > 0
  }

  whenTold (callback: () => void): void {
    this.whenKnown(this.interest.stamp, callback)
  }

  changed (): void {
    this.generation++
  }

  /** A node sends what is wanted here: the queue need not bring it. */
  joined (): void {
    this.changed()
    this.lookForPlainNodes()
  }

  // What this node says

  private say (done: Done): void {
    const { node, isLeaving, port, members } = this
    const received: Record<string, readonly [number, number]> = Object.create(null)
    for (const peer of members.peers.values()) received[peer.id] = peer.received
    const text = presenceText({ node, broker: port.link.broker.id, ...port.urls(), isLameDuck: port.isLameDuck(), isLeaving, received })
    port.link.emitReserved(this.topics.presence, Buffer.from(text), done)
  }

  /** Says at once what it would say with the next heartbeat. */
  announce (): void {
    if (this.hasEchoed) this.heartbeat.beat()
  }

  transmit (topic: string, bytes: Buffer): void {
    this.port.link.emitReserved(topic, bytes, ignore)
  }

  wake (mountpoint: string, queue: string): void {
    this.port.wake(mountpoint, queue)
  }

  failed ({ id, presence: { broker } }: Peer, what: string, { message }: Error): void {
    this.port.log.error({ node: id, broker }, `node ${broker}: ${what}: ${message}`)
  }

  lost ({ id, presence: { broker }, lostMessages }: Peer, messages: number): void {
    if (lostMessages !== messages) return
    this.port.log.error({ node: id, broker }, `node ${broker} does not take what it is sent: ${messages} messages are given up, and those that follow until it does`)
  }

  // What it hears

  /** Packets on reserved topics that clients have published here. */
  get forged (): number {
    return this.reception.forged
  }

  private takePresence (presence: Presence): void {
    if (presence.node === this.node) this.echoed()
    else this.members.heard(presence)
    this.settle()
    this.waiting.look()
  }

  private echoed (): void {
    this.heartbeat.echoed()
    if (this.hasEchoed) return
    this.hasEchoed = true
    setTimeout(() => {
      this.mayHaveAnswered = true
      this.settle()
    }, answerTime).unref()
  }

  private settle (): void {
    if (this.isSettled || !this.mayHaveAnswered) return
    for (const peer of this.members.peers.values()) if (!peer.hasState) return
    this.isSettled = true
    this.changed()
    const { whenSettled } = this
    this.whenSettled = []
    for (const callback of whenSettled) callback()
  }

  private heardNothing (isSilent: boolean): void {
    const { log } = this.port
    this.problem = isSilent ? 'the queue that nodes share is silent' : null
    if (isSilent) log.error({}, 'cluster: the queue does not bring this node its own word, so nodes do not hear each other')
    else log.info({}, 'cluster: the queue is back')
  }

  /** Once per beat. */
  private count (isSteady: boolean): void {
    this.members.count(isSteady)
    this.lookForPlainNodes()
  }

  private takeBirth (broker: string): void {
    if (broker === this.port.link.broker.id) return
    this.members.born(broker)
    this.plainNodes.born(broker)
    this.lookForPlainNodes()
  }

  private lookForPlainNodes (): void {
    if (!this.plainNodes.look()) return
    this.changed()
    this.port.plainNodesChanged(this.plainNodes.mayPublish)
  }

  private takeBatch (text: string, head: BatchHead): void {
    const peer = this.members.peers.get(head.node)
    if (peer === undefined) return
    peer.take(text, head)
    this.settle()
    this.waiting.look()
  }

  /** Calls back once every node that seems to be there knows what this one wanted at a stamp, or soon anyway. */
  whenKnown (stamp: number, callback: () => void): void {
    this.waiting.add(stamp, callback)
  }

  private isKnown (stamp: number): boolean {
    for (const peer of this.members.peers.values()) if (peer.isAlive && !peer.isLate && peer.link.knownStamp < stamp) return false
    return true
  }

  /** Resolves once the others know what this node wants, and have what it was sent and passed on meanwhile. */
  async drained (): Promise<void> {
    for (let round = 0; round < 2; round++) {
      const stamp = this.interest.mark()
      await new Promise<void>((resolve) => { this.whenKnown(stamp, resolve) })
    }
  }

  /** Resolves once the queue has the last word of this node, or soon anyway: whoever closes the queue next would take it along. */
  async close (): Promise<void> {
    const { link } = this.port
    this.heartbeat.stop()
    this.isLeaving = true
    for (const peer of this.members.peers.values()) peer.link.flush()
    const said = this.hasEchoed ? new Promise<void>((resolve) => { this.say(() => { resolve() }) }) : null
    link.others = null
    link.onListened = null
    this.reception.close()
    this.members.close()
    await Promise.race([said, delay(farewell, undefined, { ref: false })])
  }
}

function ignore (): void {}
