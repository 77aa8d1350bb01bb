import type { PublishPacket } from '../broker/host.ts'
import type { Message } from '../wire/message.ts'
import type { Member } from './member.ts'

// A message that is delivered over and over stays acknowledgeable by the replies of so many deliveries.
const maxSubjects = 8

/** A stored message that this node has claimed for a group. */
export class Held {
  /** `<broker id>:<broker counter>`. */
  readonly id: string
  /** Subject, reply and payload as they came; a delivery adds headers. */
  readonly message: Message
  readonly topic: string
  /** When nobody is to have it any more, in milliseconds since 1970 (MQTT 5, 3.3.2.3.3); Infinity for never. */
  readonly expiry: number
  /** When it was claimed, among the messages of its group: they are delivered in this order. */
  readonly order: number
  /** How often it was handed to a member. */
  deliveries: number
  /** Who has it; null while it waits. */
  member: Member | null = null
  /** When whoever has it must have acknowledged it, in milliseconds since 1970. */
  deadline = 0
  /** Its latest delivery, among those of its group. */
  sequence = 0
  isDone = false
  /** The reply subjects of its deliveries; whichever is answered counts. */
  subjects: string[] = []
  /** The pause that a NAK asked for. */
  timer: NodeJS.Timeout | null = null

  constructor (id: string, message: Message, { topic, messageExpiry }: PublishPacket, order: number, deliveries: number) {
    this.id = id
    this.message = message
    this.topic = topic
    this.expiry = messageExpiry ?? Infinity
    this.order = order
    this.deliveries = deliveries
  }

  get isExpired (): boolean {
    return this.expiry !== Infinity && this.expiry <= Date.now()
  }

  /** Remembers the reply subject of a delivery. @returns one that counts no more, or null */
  answerBy (subject: string): string | null {
    this.subjects.push(subject)
    return this.subjects.length > maxSubjects ? this.subjects.shift() as string : null
  }
}

/** Messages in the order in which they are to be delivered. */
export class Waiting {
  private items: Held[] = []
  private sorted = true

  get length (): number {
    return this.items.length
  }

  push (held: Held): void {
    const last = this.items.at(-1)
    if (last !== undefined && last.order > held.order) this.sorted = false
    this.items.push(held)
  }

  /** All of them, in order; none stays. */
  take (): Held[] {
    const items = this.inOrder()
    this.items = []
    return items
  }

  /** Hands each to `offer`, in order, until `isOpen` says no; those that it does not take stay. */
  offer (offer: (held: Held) => boolean, isOpen: () => boolean): void {
    const items = this.inOrder()
    const kept: Held[] = []
    let at = 0
    for (; at < items.length && isOpen(); at++) {
      const held = items[at] as Held
      if (!held.isDone && !offer(held)) kept.push(held)
    }
    if (at === 0) return
    // What was pushed meanwhile is behind `items` already.
    this.items = kept.length === 0 ? items.slice(at) : kept.concat(items.slice(at))
  }

  private inOrder (): Held[] {
    if (!this.sorted) this.items.sort((a, b) => a.order - b.order)
    this.sorted = true
    return this.items
  }
}
