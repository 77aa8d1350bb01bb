import type { HostPersistence, OutgoingPacket } from '../broker/persistence.ts'
import { MessageQueue } from './message-queue.ts'
import type { Claimed, Parked, ParkedPage } from './store.ts'

/** How many unclaimed messages are read ahead: each reading begins with all that are claimed or parked. */
const ahead = 10_000

/** Acknowledged messages to remember, for those that the persistence still shows or has twice. */
const remembered = 10_000

type Place = 'waiting' | 'claimed' | 'parked'

interface Message {
  readonly id: string
  readonly packet: OutgoingPacket
  /** In the order of the persistence. */
  readonly number: number
  deliveries: number
  place: Place
}

// Names a packet between outgoingUpdate and outgoingClearMessageId. Persistences that keep it must not meet one of an
// earlier life, so it is no MQTT packet identifier.
let lastMessageId = Date.now() * 1000

/** A group in this process: an index over the front of its outgoing queue in the persistence. */
export class PersistenceGroup {
  readonly name: string
  /** Filters asked for, with the time of the last asking, in milliseconds since 1970. */
  readonly filters = new Map<string, number>()
  seen = Date.now()
  private readonly persistence: HostPersistence
  private readonly waiting = new MessageQueue<Message>()
  /** All messages of the index, by id. */
  private readonly known = new Map<string, Message>()
  /** Sorted by number; those that are not parked any more are skipped. */
  private parkedOrder: Message[] = []
  private parkedCount = 0
  private done = new Set<string>()
  private doneBefore = new Set<string>()
  private numbers = 0
  private reading: Promise<void> | null = null
  private readEnded = 0
  private readTook = 0

  constructor (persistence: HostPersistence, name: string) {
    this.persistence = persistence
    this.name = name
  }

  async claim (count: number): Promise<Claimed[]> {
    if (this.waiting.size === 0) await this.read()
    const claimed: Claimed[] = []
    while (claimed.length < count) {
      const message = this.waiting.shift()
      if (message === undefined) break
      message.place = 'claimed'
      claimed.push({ id: message.id, packet: message.packet, deliveries: message.deliveries })
    }
    return claimed
  }

  async ack (ids: readonly string[]): Promise<number> {
    let number = 0
    for (const id of ids) {
      const message = this.known.get(id)
      if (message?.place !== 'claimed') continue
      await this.erase(message)
      number++
    }
    return number
  }

  /** @returns their number */
  release (ids: readonly string[], delivered: boolean): number {
    const messages = this.claimed(ids)
    for (const message of messages) {
      message.place = 'waiting'
      if (delivered) message.deliveries++
    }
    this.waiting.unshift(messages)
    return messages.length
  }

  /** @returns their number */
  park (parked: readonly Parked[]): number {
    const messages = this.claimed(parked.map(({ id }) => id))
    for (const message of messages) {
      message.place = 'parked'
      this.parkedCount++
      const at = this.parkedAfter(message.number)
      // It may still be there from before.
      if (this.parkedOrder[at - 1] === message) continue
      if (at === this.parkedOrder.length) this.parkedOrder.push(message)
      else this.parkedOrder.splice(at, 0, message)
    }
    return messages.length
  }

  parked (from: string | null, count: number): ParkedPage {
    const parked: Parked[] = []
    let number = from === null ? -1 : Number(from)
    for (let at = this.parkedAfter(number); at < this.parkedOrder.length; at++) {
      const message = this.parkedOrder[at] as Message
      if (message.place !== 'parked') continue
      if (parked.length === count) return { parked, next: String(number) }
      number = message.number
      parked.push({ id: message.id, topic: message.packet.topic })
    }
    return { parked, next: null }
  }

  unpark (ids: readonly string[]): Claimed[] {
    const claimed: Claimed[] = []
    for (const id of ids) {
      const message = this.known.get(id)
      if (message?.place !== 'parked') continue
      message.place = 'claimed'
      this.parkedCount--
      claimed.push({ id, packet: message.packet, deliveries: message.deliveries })
    }
    if (this.parkedOrder.length > 2 * this.parkedCount + 64) this.parkedOrder = this.parkedOrder.filter(({ place }) => place === 'parked')
    return claimed
  }

  /** Counts also what was not read yet: takes as long as the queue is deep. */
  async depth (): Promise<{ waiting: number, claimed: number, parked: number, redelivered: number, first: OutgoingPacket | null }> {
    const ids = new Set<string>()
    let first: OutgoingPacket | null = null
    for await (const packet of this.persistence.outgoingStream({ id: this.name })) {
      const id = idOf(packet)
      if (this.done.has(id) || this.doneBefore.has(id)) continue
      first ??= packet
      ids.add(id)
    }
    let claimed = 0
    let redelivered = 0
    for (const { place, deliveries } of this.known.values()) {
      if (place === 'claimed') claimed++
      if (deliveries > 0) redelivered++
    }
    return { waiting: Math.max(ids.size - claimed - this.parkedCount, 0), claimed, parked: this.parkedCount, redelivered, first }
  }

  /** Drops waiting messages, the oldest first. @returns their number */
  async drop (count: number): Promise<number> {
    let number = 0
    while (number < count) {
      const [claimed] = await this.claim(1)
      if (claimed === undefined) break
      number += await this.ack([claimed.id])
    }
    return number
  }

  async purge (): Promise<number> {
    const parked = this.parkedOrder.filter(({ place }) => place === 'parked')
    this.unpark(parked.map(({ id }) => id))
    return await this.ack(parked.map(({ id }) => id)) + await this.drop(Infinity)
  }

  /** Drops everything, wherever it is. */
  async clear (): Promise<void> {
    for (const message of this.known.values()) message.place = 'claimed'
    await this.ack([...this.known.keys()])
    await this.purge()
  }

  /** Gives back everything. */
  releaseAll (): void {
    const messages = [...this.known.values()].filter(({ place }) => place === 'claimed')
    this.release(messages.map(({ id }) => id), false)
  }

  private claimed (ids: readonly string[]): Message[] {
    const messages: Message[] = []
    for (const id of ids) {
      const message = this.known.get(id)
      if (message?.place === 'claimed') messages.push(message)
    }
    return messages
  }

  /** The place in the order of the parked behind a number. */
  private parkedAfter (number: number): number {
    let low = 0
    let high = this.parkedOrder.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.parkedOrder[middle] as Message).number > number) high = middle
      else low = middle + 1
    }
    return low
  }

  /** Learns of messages that came since; callers at the same time share one reading. */
  private read (): Promise<void> {
    this.reading ??= this.readStream().finally(() => { this.reading = null })
    return this.reading
  }

  private async readStream (): Promise<void> {
    // With much claimed or parked it takes a while; at most half of all time is spent so.
    const pause = this.readEnded + this.readTook - performance.now()
    if (pause > 1) await new Promise((resolve) => { setTimeout(resolve, pause) })
    const began = performance.now()
    const met = new Set<string>()
    const twice: OutgoingPacket[] = []
    for await (const packet of this.persistence.outgoingStream({ id: this.name })) {
      const id = idOf(packet)
      if (met.has(id) || (!this.known.has(id) && (this.done.has(id) || this.doneBefore.has(id)))) {
        twice.push(packet)
        continue
      }
      met.add(id)
      if (this.known.has(id)) continue
      if (this.waiting.size >= ahead) break
      const message: Message = { id, packet, number: this.numbers++, deliveries: 0, place: 'waiting' }
      this.known.set(id, message)
      this.waiting.push(message)
    }
    // Overlapping filters of the group, or acknowledged while this was read: then it is not there any more.
    for (const packet of twice) await this.remove(packet).catch(() => {})
    this.readEnded = performance.now()
    this.readTook = this.readEnded - began
  }

  private async erase (message: Message): Promise<void> {
    await this.remove(message.packet)
    this.known.delete(message.id)
    this.done.add(message.id)
    if (this.done.size < remembered) return
    this.doneBefore = this.done
    this.done = new Set()
  }

  private async remove (packet: OutgoingPacket): Promise<void> {
    const messageId = ++lastMessageId
    await this.persistence.outgoingUpdate({ id: this.name }, Object.assign(Object.create(null), packet, { messageId }) as OutgoingPacket)
    await this.persistence.outgoingClearMessageId({ id: this.name }, { messageId })
  }
}

function idOf ({ brokerId, brokerCounter }: OutgoingPacket): string {
  return `${brokerId}:${brokerCounter}`
}
