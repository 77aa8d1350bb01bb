import { originOf } from '../broker/identity.ts'
import { reservedTopicsOf } from '../broker/reserved-topics.ts'
import type { Producer } from '../routing/receiver.ts'
import type { Spaces } from '../routing/spaces.ts'
import type { Message } from '../wire/message.ts'
import { decodeText, encodeText } from '../wire/text.ts'
import { type BatchHead, type FrameReader, type FrameTaker, completeFrame, headOf, joinedFrame, messageFrame, publisherFrame, resetFrame, wakeFrame, type Wanted } from './frames.ts'
import { InLink } from './in-link.ts'
import { marksOf, Origins, passageOf } from './marks.ts'
import { OutLink } from './out-link.ts'
import type { OwnInterest } from './own-interest.ts'
import { PeerInterest, type WantingNode } from './peer-interest.ts'
import type { Presence } from './presence.ts'
import type { Trie } from '../subject/trie.ts'

/** What another node is to this one's gateway. */
export interface PeerPort {
  /** The id of this node. */
  readonly node: string
  readonly spaces: Spaces
  readonly listeners: Trie<object>
  transmit (topic: string, bytes: Buffer): void
  /** What this node wants. */
  readonly interest: Pick<OwnInterest, 'state' | 'stamp'>
  /** Messages are stored for a durable group here. */
  wake (mountpoint: string, queue: string): void
  /** So many messages will not reach it. */
  lost (peer: Peer, messages: number): void
  /** It sends what is wanted here, from now on. */
  joined (): void
  /** What it sent could not be read, or a hook of the host threw at it. */
  failed (peer: Peer, what: string, error: Error): void
  /** Something changed that decides whether somebody may listen. */
  changed (): void
}

// Heartbeats of the other node that do not know of what it was sent, until it is begun anew.
const maxUnknown = 2

// Of all links of this process, so that a peer that is met again begins above what it had.
let epochs = 0

/** Another node with a gateway: what it wants, and the batches to it and from it. */
export class Peer implements WantingNode, FrameTaker {
  readonly id: string
  presence: Presence
  isAlive = true
  /** Whether it has said that it sends what is wanted here: what the queue brings of it is not taken any more. */
  isJoined = false
  /** Whether all that it wants is known. */
  hasState = false
  /** Heartbeats of this node since the link was begun. */
  beats = 0
  /** Heartbeats of this node since it was heard of. */
  missed = 0
  link: OutLink
  readonly interest: PeerInterest
  readonly patience = OutLink.patience
  /** Messages that it did not get, as far as known. */
  lostMessages = 0
  inMessages = 0
  outMessages = 0
  private readonly port: PeerPort
  private readonly topic: string
  private readonly reader: FrameReader
  private chosen = ''
  private readonly woken = new Set<string>()
  /** Who published what it was sent last, and what it sends. */
  private publisherThere = ''
  private origins = new Origins('')
  private readonly inLink = new InLink((isGap) => { this.acknowledge(isGap) })
  /** Whether messages to it are given up until it has acknowledged something. */
  private isCut = false
  private unknown = 0

  constructor (presence: Presence, port: PeerPort, reader: FrameReader) {
    this.id = presence.node
    this.presence = presence
    this.port = port
    this.topic = reservedTopicsOf(presence.broker).batches
    this.reader = reader
    this.interest = new PeerInterest(this, port.spaces, port.listeners)
    this.link = this.begin()
  }

  /** Numbers begin anew, with all that this node wants. */
  private begin (): OutLink {
    const { port } = this
    const link = new OutLink(++epochs, {
      node: port.node,
      transmit: (bytes) => { port.transmit(this.topic, bytes) },
      acknowledged: () => {
        this.inLink.acknowledged()
        return this.inLink.received
      },
      overflowed: () => { this.cut() },
      stamp: () => port.interest.stamp
    })
    this.publisherThere = ''
    link.begin([resetFrame, ...port.interest.state()])
    link.writeUrgent(completeFrame)
    if (this.hasState) link.writeUrgent(joinedFrame)
    link.flush()
    return link
  }

  private restart (): void {
    const messages = this.link.unacknowledgedMessages
    this.link.close()
    this.link = this.begin()
    this.unknown = this.beats = 0
    if (messages > 0) this.lose(messages)
  }

  private lose (messages: number): void {
    this.lostMessages += messages
    this.port.lost(this, messages)
  }

  /** It does not take what it is sent: what waits is given up, and all that comes until it does. */
  private cut (): void {
    this.restart()
    this.isCut = true
  }

  // What routes ask of it

  get isCongested (): boolean {
    return this.isAlive && this.link.isCongested
  }

  get isLate (): boolean {
    return this.isCut || this.link.isLate
  }

  get isChosen (): boolean {
    return this.chosen !== ''
  }

  // hot: once per message that a member there gets
  choose (queue: string): void {
    this.chosen = this.chosen === '' ? queue : `${this.chosen} ${queue}`
  }

  // hot: once per message for it
  send (message: Message, mountpoint: string, isPlain: boolean, isHidden: boolean, producer: Producer | null, isPassed = false): void {
    const queues = this.chosen
    this.chosen = ''
    if (this.isCut) return this.lose(1)
    this.outMessages++
    const origin = originOf(message)
    const clientId = producer === null ? origin?.clientId ?? '' : producer.clientId
    if (clientId !== this.publisherThere) {
      this.publisherThere = clientId
      this.link.write(publisherFrame(encodeText(clientId)))
    }
    this.link.writeMessage(messageFrame(message, mountpoint, queues, marksOf(origin, isPlain, isHidden, producer, isPassed)))
  }

  whenRelieved (callback: () => void): void {
    if (this.isAlive) this.link.whenRelieved(callback)
    else callback()
  }

  /** Once per turn of the event loop and group. */
  wake (mountpoint: string, queue: string): void {
    const frame = wakeFrame(mountpoint, queue)
    if (this.woken.has(frame)) return
    if (this.woken.size === 0) setImmediate(() => { this.woken.clear() })
    this.woken.add(frame)
    this.link.writeUrgent(frame)
  }

  /** Tells it of a change of what this node wants. */
  tell (frame: string): void {
    this.link.writeUrgent(frame)
  }

  // What comes from it

  take (text: string, head: BatchHead): void {
    if (head.ackEpoch === this.link.epoch) this.acknowledged(head.ackNumber)
    if (head.number === 0) {
      if (head.isUrgent) this.link.resend()
    } else if (this.inLink.takes(head)) {
      this.read(text, head)
    }
  }

  private read (text: string, head: BatchHead): void {
    const whole = this.inLink.whole(text, head)
    try {
      if (whole !== null) this.reader.read(whole, head.end, this)
      this.inLink.done(text.length, head.isUrgent)
    } catch (error) {
      this.inLink.startOver()
      this.port.failed(this, 'a batch cannot be read', error as Error)
    }
  }

  private acknowledged (number: number): void {
    this.unknown = 0
    this.isCut &&= number === 0
    this.link.acknowledge(number)
  }

  private acknowledge (isGap: boolean): void {
    const [epoch, number] = this.inLink.received
    this.inLink.acknowledged()
    this.port.transmit(this.topic, Buffer.from(headOf(this.port.node, this.link.epoch, 0, epoch, number, isGap), 'latin1'))
  }

  /** What this node has of it, for the heartbeat. */
  get received (): readonly [number, number] {
    return this.inLink.received
  }

  /** It says that it is there. */
  heard (presence: Presence): void {
    this.presence = presence
    this.missed = 0
    this.inLink.heartbeat()
    const known = presence.received[this.port.node]
    const [epoch, number] = Array.isArray(known) ? known : [0, 0]
    if (epoch === this.link.epoch) this.acknowledged(number)
    else if (++this.unknown > maxUnknown && this.beats > maxUnknown) this.restart()
    this.link.heartbeat()
  }

  publisher (clientId: string): void {
    this.origins = new Origins(clientId)
  }

  // hot: once per message from it
  message (message: Message, mountpoint: string, queues: readonly string[], marks: number): void {
    this.inMessages++
    message.origin = this.origins.of(marks)
    try {
      this.port.spaces.receiveNamed(message, passageOf(mountpoint, queues, marks, this))
    } catch (error) {
      this.port.failed(this, 'a message cannot be delivered', error as Error)
    }
  }

  wanted (wanted: Wanted, members: number): void {
    this.interest.set(wanted, members)
  }

  listened (filter: string, isListened: boolean): void {
    this.interest.listen(filter, isListened)
    this.port.changed()
  }

  wakeUp (mountpoint: string, queue: string): void {
    this.port.wake(decodeText(mountpoint) ?? mountpoint, queue)
  }

  /** It begins anew. What it wanted it gets until all of it is said again. */
  reset (): void {
    this.publisher('')
    this.hasState = false
    this.interest.restart()
  }

  /** All that it wants is known: from here on it gets that, and is told so before the queue brings it anything more. */
  complete (): void {
    if (!this.hasState) {
      this.interest.complete()
      // Where it sends what is wanted here, that comes next.
      this.isJoined = false
      this.port.changed()
    }
    this.hasState = true
    this.link.writeUrgent(joinedFrame)
    this.link.flush()
  }

  joined (): void {
    this.isJoined = true
    this.port.joined()
  }

  /** Whether it is there as far as this node knows: members of its groups are chosen then. */
  setAlive (isAlive: boolean): void {
    this.isAlive = isAlive
    this.interest.setQueues(isAlive)
    if (!isAlive) this.link.relieve()
    this.port.changed()
  }

  close (): void {
    this.lostMessages += this.link.unacknowledgedMessages
    this.link.close()
    this.inLink.close()
    this.interest.clear()
    this.port.changed()
  }
}
