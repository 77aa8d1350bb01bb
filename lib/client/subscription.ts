import type { Permissions } from '../auth/permissions.ts'
import type { Producer, Receiver } from '../routing/receiver.ts'
import type { Message } from '../wire/message.ts'
import type { Outbox } from './outbox.ts'

/** What a subscription needs of its connection. */
export interface SubscriptionOwner extends Producer {
  readonly outbox: Outbox
  /** Whether the connection gets header blocks. */
  readonly headers: boolean
  /** Whether the connection gets its own messages. */
  readonly echo: boolean
  /** Whether each delivery is to be asked for with `forward`. */
  readonly checksForward: boolean
  /** What the connection may have; null for everything. */
  readonly permissions: Permissions | null
  outMessages: number
  outBytes: number
  /** The message as the host lets it through, or null. */
  forward (message: Message, producer: Producer | null): Message | null
  remove (subscription: Subscription): void
}

/** A SUB that the host has granted. */
export interface Granted {
  readonly subject: string
  /** What the host made of it, as subject and as topic filters. */
  readonly filter: string
  readonly topicFilters: readonly string[]
  readonly queue: string | null
  readonly sid: string
}

/** A SUB of a client. */
export class Subscription implements Receiver {
  readonly sid: string
  /** What the client subscribed to; `filter` is what the host made of it. */
  readonly subject: string
  readonly filter: string
  /** The filter as the host knows it. More than one where a wildcard of `filter` stands for prefixes that map differently. */
  readonly topicFilters: readonly string[]
  readonly queue: string | null
  /** Deliveries so far. */
  delivered = 0
  /** The delivery that ends it; 0 for none. */
  max = 0
  closed = false
  readonly owner: SubscriptionOwner
  /** The permissions that each delivery is to be asked of, or told; null where it need not. */
  private guard: Permissions | null = null
  private isFiltered = false
  private lineSubject = ''
  private line = ''

  constructor (owner: SubscriptionOwner, { subject, filter, topicFilters, queue, sid }: Granted) {
    this.owner = owner
    this.subject = subject
    this.filter = filter
    this.topicFilters = topicFilters
    this.queue = queue
    this.sid = sid
    this.obey(owner.permissions)
  }

  /** Takes permissions into account that allow the subscription; null for none. */
  obey (permissions: Permissions | null): void {
    this.isFiltered = permissions !== null && permissions.filters(this.filter, this.queue)
    this.guard = permissions !== null && (this.isFiltered || permissions.notesReplies) ? permissions : null
  }

  /** Nothing more is delivered. */
  end (): void {
    this.closed = true
  }

  // hot: once per delivery
  deliver (message: Message, producer: Producer | null): boolean {
    const { owner } = this
    if (this.closed || (producer === owner && !owner.echo)) return false
    if (this.isFiltered && this.guard?.mayReceive(message.subject, this.queue) === false) return false
    let sent = message
    if (owner.checksForward) {
      const granted = owner.forward(message, producer)
      if (granted === null || this.closed) return false
      sent = granted
    }
    // What it gets it may answer (server/client.go deliverMsg).
    if (this.guard !== null && sent.reply !== '') this.guard.noteReply(sent.reply)
    const delivered = ++this.delivered
    if (sent.subject !== this.lineSubject) {
      this.lineSubject = sent.subject
      this.line = `MSG ${sent.subject} ${this.sid} `
    }
    owner.outMessages++
    if (sent.headerSize === 0) {
      owner.outBytes += sent.size
      owner.outbox.write(this.line + sent.tail)
    } else if (owner.headers) {
      owner.outBytes += sent.size
      owner.outbox.write('H' + this.line + sent.tail)
    } else {
      owner.outBytes += sent.size - sent.headerSize
      owner.outbox.write(this.line + sent.plainTail)
    }
    // The connection is free for the next SUB with this sid at once (server/client.go deliverMsg).
    if (delivered === this.max) owner.remove(this)
    if (producer !== null && owner.outbox.isCongested) producer.stall(owner.outbox)
    return true
  }
}
