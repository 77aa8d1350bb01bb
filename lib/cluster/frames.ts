import { Message } from '../wire/message.ts'
import { detach } from '../wire/text.ts'

// What gateways say to each other, as latin1 text: a batch is a line about itself, then frames. A frame is a line, and what
// follows it in the lengths that the line says; names of NATS hold no spaces, and no line feeds.
//
//   <node> <epoch> <number> <acknowledged epoch> <acknowledged number> <bits>       a batch; number 0 has no frames
//   C <client id>                                                                   a size: who published the messages that follow
//   M<marks> <subject> <reply> <header> <size> <mountpoint> <queues> <tail>         a message; all but the subject are sizes
//   S<bits> <filter> <members> <mountpoint> <queue>                                 how many subscriptions there are to a filter
//   L<bits> <filter>                                                                whether something of MQTT listens to a filter
//   W <mountpoint> <queue>                                                          a message was stored for a durable group
//   R                                                                               what was said before is void
//   E                                                                               that is all that is wanted
//   J                                                                               from here on it sends what is wanted

/** What a batch says of itself. */
export interface BatchHead {
  readonly node: string
  /** Grows with each new beginning of the numbers. */
  readonly epoch: number
  /** From 1 on; 0 for a batch that only acknowledges. */
  readonly number: number
  readonly ackEpoch: number
  readonly ackNumber: number
  /** Whether it is to be acknowledged at once. */
  readonly isUrgent: boolean
  /** Whether the next batch goes on where it ends, within a frame. */
  readonly goesOn: boolean
  /** Where the frames begin. */
  readonly end: number
}

const isUrgentBit = 1
const goesOnBit = 2

export function headOf (node: string, epoch: number, number: number, ackEpoch: number, ackNumber: number, isUrgent: boolean, goesOn = false): string {
  return `${node} ${epoch} ${number} ${ackEpoch} ${ackNumber} ${(isUrgent ? isUrgentBit : 0) + (goesOn ? goesOnBit : 0)}\n`
}

/** Null for what is no batch. */
export function readHead (text: string): BatchHead | null {
  const end = text.indexOf('\n')
  const match = /^(\S+) (\d+) (\d+) (\d+) (\d+) ([0-3])$/.exec(text.slice(0, Math.max(0, end)))
  if (match === null) return null
  const [, node = '', ...numbers] = match
  const [epoch, number, ackEpoch, ackNumber, bits] = numbers.map(Number) as [number, number, number, number, number]
  return { node, epoch, number, ackEpoch, ackNumber, isUrgent: (bits & isUrgentBit) !== 0, goesOn: (bits & goesOnBit) !== 0, end: end + 1 }
}

// Bits are written as characters from `@` on; the marks of a message, with its QoS above them, as a number.
const bitBase = 0x40
const qosShift = 6
const allMarks = (1 << qosShift) - 1
const isQueueBit = 1
const isStoredBit = 2

// hot: once per message and node
/** @param marks see marks.ts */
export function messageFrame (message: Message, mountpoint: string, queues: string, marks: number): string {
  const { subject, reply, headerSize, size, tail } = message
  return `M${marks + (message.qos << qosShift)} ${subject} ${reply.length} ${headerSize} ${size} ${mountpoint.length} ${queues.length} ${tail.length}\n${mountpoint}${queues}${tail}`
}

/** @param clientId as latin1 text */
export function publisherFrame (clientId: string): string {
  return `C ${clientId.length}\n${clientId}`
}

/** What a node wants: subscriptions to a filter, of one queue group or of none. */
export interface Wanted {
  readonly filter: string
  /** Null for plain subscriptions. */
  readonly queue: string | null
  /** As latin1 text. */
  readonly mountpoint: string
  /** Whether the queue group is durable: messages with a QoS above 0 reach it from a store. */
  readonly isStored: boolean
}

export function wantedFrame ({ filter, queue, mountpoint, isStored }: Wanted, members: number): string {
  const bits = (queue === null ? 0 : isQueueBit) + (isStored ? isStoredBit : 0)
  return `S${String.fromCharCode(bitBase + bits)} ${filter} ${members} ${mountpoint.length} ${queue === null ? 0 : queue.length}\n${mountpoint}${queue ?? ''}`
}

export function listenedFrame (filter: string, isListened: boolean): string {
  return `L${isListened ? '+' : '-'} ${filter}\n`
}

export function wakeFrame (mountpoint: string, queue: string): string {
  return `W ${mountpoint.length} ${queue.length}\n${mountpoint}${queue}`
}

export const resetFrame = 'R\n'
export const completeFrame = 'E\n'
export const joinedFrame = 'J\n'

/** Takes frames. */
export interface FrameTaker {
  /** @param marks see marks.ts */
  message (message: Message, mountpoint: string, queues: readonly string[], marks: number): void
  /** @param clientId as latin1 text */
  publisher (clientId: string): void
  wanted (wanted: Wanted, members: number): void
  listened (filter: string, isListened: boolean): void
  wakeUp (mountpoint: string, queue: string): void
  reset (): void
  complete (): void
  joined (): void
}

const none: readonly string[] = []

/** Reads the frames of a batch. */
export class FrameReader {
  private text = ''
  private at = 0

  /**
   * @param start where the frames begin
   * @throws {Error} for what no gateway of this version says
   */
  read (text: string, start: number, taker: FrameTaker): void {
    this.text = text
    this.at = start
    while (this.at < text.length) this.readFrame(taker)
    this.text = ''
  }

  private readFrame (taker: FrameTaker): void {
    const kind = this.text[this.at++]
    if (kind === 'M') this.readMessage(taker)
    else if (kind === 'C') this.readPublisher(taker)
    else if (kind === 'S') this.readWanted(taker)
    else if (kind === 'L') this.readListened(taker)
    else if (kind === 'W') this.readWake(taker)
    else if (kind === 'R') this.skipLine(taker.reset, taker)
    else if (kind === 'E') this.skipLine(taker.complete, taker)
    else if (kind === 'J') this.skipLine(taker.joined, taker)
    else throw new Error(`a frame of an unknown kind: ${JSON.stringify(kind)}`)
  }

  private skipLine (then: () => void, taker: FrameTaker): void {
    this.at++
    then.call(taker)
  }

  // hot: once per message
  private readMessage (taker: FrameTaker): void {
    const bits = this.number()
    const subject = this.word()
    const replySize = this.number()
    const headerSize = this.number()
    const size = this.number()
    const mountpointSize = this.number()
    const queuesSize = this.number()
    const tailSize = this.number()
    const mountpoint = this.take(mountpointSize)
    const queues = queuesSize === 0 ? none : this.take(queuesSize).split(' ')
    const tail = this.take(tailSize)
    const message = new Message(subject, tail.slice(0, replySize), headerSize, size, tail)
    message.qos = (bits >> qosShift) as 0 | 1 | 2
    taker.message(message, mountpoint, queues, bits & allMarks)
  }

  private readPublisher (taker: FrameTaker): void {
    this.at++
    taker.publisher(detach(this.take(this.number())))
  }

  private readWanted (taker: FrameTaker): void {
    const bits = this.bits()
    // What is kept must not keep the batch that it came in.
    const filter = detach(this.word())
    const members = this.number()
    const mountpointSize = this.number()
    const queueSize = this.number()
    const mountpoint = detach(this.take(mountpointSize))
    const queue = detach(this.take(queueSize))
    taker.wanted({ filter, mountpoint, queue: (bits & isQueueBit) === 0 ? null : queue, isStored: (bits & isStoredBit) !== 0 }, members)
  }

  private readListened (taker: FrameTaker): void {
    const isListened = this.text[this.at] === '+'
    this.at += 2
    taker.listened(detach(this.word()), isListened)
  }

  private readWake (taker: FrameTaker): void {
    this.at++
    const mountpointSize = this.number()
    const queueSize = this.number()
    const mountpoint = this.take(mountpointSize)
    taker.wakeUp(mountpoint, this.take(queueSize))
  }

  private bits (): number {
    const bits = this.text.charCodeAt(this.at) - bitBase
    this.at += 2
    return bits
  }

  /** Up to the next space or line feed, and past it. */
  private word (): string {
    const start = this.at
    let code = this.text.charCodeAt(this.at)
    while (code !== 0x20 && code !== 0x0a) {
      if (Number.isNaN(code)) throw new Error('a frame that breaks off')
      code = this.text.charCodeAt(++this.at)
    }
    return this.text.slice(start, this.at++)
  }

  private number (): number {
    let value = 0
    let code = this.text.charCodeAt(this.at++)
    while (code >= 0x30 && code <= 0x39) {
      value = value * 10 + code - 0x30
      code = this.text.charCodeAt(this.at++)
    }
    if (code !== 0x20 && code !== 0x0a) throw new Error('a frame without a number where one belongs')
    return value
  }

  private take (size: number): string {
    const end = this.at + size
    if (end > this.text.length) throw new Error('a frame that breaks off')
    const taken = this.text.slice(this.at, end)
    this.at = end
    return taken
  }
}
