import { headOf } from './frames.ts'

// A batch is sent once it is this large, in bytes, and at the end of a turn of the event loop.
const batchBytes = 65_536
// What may be unacknowledged, in bytes: a node that does not read is invisible to who sends, until Redis cuts it off.
export const windowBytes = 4 * 1024 * 1024
// The largest batch, in bytes. A message may be larger, but Redis cuts off who has 32 MiB to read, again and again.
const maxBatch = 1024 * 1024
// What may wait besides, and what while publishers are held up: it is what all of them have begun to send then, and what
// MQTT clients send, who are not held up. More is given up.
export const maxWaiting = 32 * 1024 * 1024
export const maxHeld = 128 * 1024 * 1024
// How long publishers are held up, in milliseconds: they must not stand still because the queue is away. Where as much as
// may be in flight gets through meanwhile, the other node only has much to do.
const patience = 5000
// An acknowledgement that takes longer, in milliseconds, says that the other node may not be there: they come within some 20.
const lateAfter = 1000

interface Batch {
  readonly number: number
  readonly bytes: Buffer
  /** The messages in it. */
  readonly messages: number
  /** Whether it is of what the other node needs first. */
  readonly isBeginning: boolean
  /** The latest announcement that the other node knows once it has it. */
  readonly stamp: number
  /** How often the other node had been heard of when it was sent. */
  sentAt: number
  /** When it was sent first, by `performance.now`. */
  since: number
}

/** What the link asks of its surroundings. */
export interface OutLinkPort {
  readonly node: string
  transmit (bytes: Buffer): void
  /** What the other node sent, as far as it came: epoch and number. */
  acknowledged (): readonly [number, number]
  /** More waits than may. */
  overflowed (): void
  /** The number of the latest announcement. */
  stamp (): number
}

/**
 * Batches for one other node, numbered, kept until they are acknowledged, and sent again where they were lost: PUBLISH of
 * Redis loses what it cannot hand on.
 *
 *     acknowledged | in flight, up to the window | waiting | being written
 */
export class OutLink {
  /** How long publishers wait at the most, in milliseconds. */
  static readonly patience = patience
  readonly epoch: number
  private congestedSince = 0
  private readonly port: OutLinkPort
  private text = ''
  private messages = 0
  private isUrgent = false
  private isScheduled = false
  private inFlight: Batch[] = []
  private waiting: Batch[] = []
  private inFlightBytes = 0
  /** Besides what the other node needs first. */
  private waitingBytes = 0
  private isBeginning = false
  private told = 0
  /** Acknowledged since publishers are held up. */
  private passedBytes = 0
  private last = 0
  private acked = 0
  /** How often the other node was heard of, and what it had acknowledged then. */
  private heard = 0
  private ackedWhenHeard = -1
  /** Of the latest batch that was acknowledged. */
  knownStamp = 0
  private relief: (() => void)[] = []
  private closed = false
  private readonly run = (): void => {
    this.isScheduled = false
    this.flush()
  }

  constructor (epoch: number, port: OutLinkPort) {
    this.epoch = epoch
    this.port = port
  }

  /** Bytes that are not acknowledged. */
  get unacknowledged (): number {
    return this.inFlightBytes + this.waitingBytes + this.text.length
  }

  /** Messages that are not acknowledged. */
  get unacknowledgedMessages (): number {
    const count = (sum: number, batch: Batch): number => sum + batch.messages
    return this.inFlight.reduce(count, 0) + this.waiting.reduce(count, 0) + this.messages
  }

  /** Whether publishers should wait: not for ever, or nothing would go on here while the other node hangs. */
  get isCongested (): boolean {
    if (this.unacknowledged <= windowBytes) return false
    if (this.congestedSince === 0) {
      this.congestedSince = performance.now()
      this.passedBytes = 0
    }
    return performance.now() - this.congestedSince < patience
  }

  /** Whether the other node should have acknowledged something long since. */
  get isLate (): boolean {
    const oldest = this.inFlight[0]
    return oldest !== undefined && performance.now() - oldest.since > lateAfter
  }

  /** Whether all is acknowledged. */
  get isIdle (): boolean {
    return this.unacknowledged === 0
  }

  // hot: once per message
  writeMessage (frame: string): void {
    this.messages++
    this.write(frame)
  }

  // hot: once per message
  write (frame: string): void {
    if (this.closed) return
    this.text += frame
    if (this.text.length >= batchBytes) {
      this.flush()
    } else if (!this.isScheduled) {
      this.isScheduled = true
      setImmediate(this.run)
    }
  }

  /** Something that somebody waits for the other node to know. */
  writeUrgent (frame: string): void {
    this.isUrgent = true
    this.write(frame)
  }

  /** Writes all that the other node needs first, however much it is. */
  begin (frames: Iterable<string>): void {
    this.isBeginning = true
    for (const frame of frames) this.writeUrgent(frame)
    this.isBeginning = false
  }

  flush (): void {
    if (this.text === '' || this.closed) return
    const { text, messages, isUrgent } = this
    this.text = ''
    this.messages = 0
    this.isUrgent = false
    let at = 0
    for (; text.length - at > maxBatch; at += maxBatch) this.add(text.slice(at, at + maxBatch), 0, isUrgent, true)
    this.add(at === 0 ? text : text.slice(at), messages, isUrgent, false)
    if (this.waitingBytes > (this.isCongested ? maxHeld : maxWaiting)) this.port.overflowed()
  }

  private add (text: string, messages: number, isUrgent: boolean, goesOn: boolean): void {
    const { isBeginning } = this
    if (!isBeginning && !goesOn) this.told = this.port.stamp()
    const [ackEpoch, ackNumber] = this.port.acknowledged()
    const head = headOf(this.port.node, this.epoch, ++this.last, ackEpoch, ackNumber, isUrgent, goesOn)
    const batch = { number: this.last, bytes: Buffer.from(head + text, 'latin1'), messages, isBeginning, stamp: this.told, sentAt: 0, since: 0 }
    if (this.waiting.length === 0 && this.inFlightBytes < windowBytes) {
      this.transmit(batch)
    } else {
      this.waiting.push(batch)
      if (!isBeginning) this.waitingBytes += batch.bytes.length
    }
  }

  private transmit (batch: Batch): void {
    batch.sentAt = this.heard
    batch.since = performance.now()
    this.inFlight.push(batch)
    this.inFlightBytes += batch.bytes.length
    this.port.transmit(batch.bytes)
  }

  /** The other node has all batches up to this one. */
  acknowledge (number: number): void {
    if (number <= this.acked || number > this.last) return
    this.acked = number
    let count = 0
    for (const batch of this.inFlight) {
      if (batch.number > number) break
      this.inFlightBytes -= batch.bytes.length
      this.passedBytes += batch.bytes.length
      this.knownStamp = batch.stamp
      count++
    }
    this.inFlight.splice(0, count)
    while (this.waiting.length > 0 && this.inFlightBytes < windowBytes) {
      const batch = this.waiting.shift() as Batch
      if (!batch.isBeginning) this.waitingBytes -= batch.bytes.length
      this.transmit(batch)
    }
    this.look()
  }

  /** Whether publishers are held up any more, and for how long. */
  private look (): void {
    if (this.unacknowledged <= windowBytes) {
      this.congestedSince = 0
      this.relieve()
    } else if (this.congestedSince !== 0 && this.passedBytes >= windowBytes) {
      this.congestedSince = performance.now()
      this.passedBytes = 0
    }
  }

  /** The other node is there. Sends again what it should have had by now. */
  heartbeat (): void {
    this.heard++
    const [oldest] = this.inFlight
    const isStuck = oldest !== undefined && this.ackedWhenHeard === this.acked && oldest.sentAt < this.heard - 1
    this.ackedWhenHeard = this.acked
    if (isStuck) this.resend()
  }

  /** Sends again all that is in flight. */
  resend (): void {
    for (const batch of this.inFlight) {
      batch.sentAt = this.heard
      this.port.transmit(batch.bytes)
    }
  }

  whenRelieved (callback: () => void): void {
    if (this.isCongested && !this.closed) this.relief.push(callback)
    else callback()
  }

  /** Lets publishers go on. */
  relieve (): void {
    if (this.relief.length === 0) return
    const { relief } = this
    this.relief = []
    for (const callback of relief) callback()
  }

  close (): void {
    this.closed = true
    this.text = ''
    this.inFlight = []
    this.waiting = []
    this.inFlightBytes = this.waitingBytes = 0
    this.relieve()
  }
}
