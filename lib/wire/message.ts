/**
 * A message as it crosses the gateway: the parts of a NATS frame as latin1 text.
 *
 * `tail` is what every receiver's line has in common: all that follows `MSG <subject> <sid> `, up to and
 * including the last CRLF (`[reply ]<size>\r\n<payload>\r\n`, with a header block
 * `[reply ]<header size> <total size>\r\n<header block><payload>\r\n`). Sizes stand there as the publisher
 * wrote them, since nats-server repeats `005` as `005`.
 */
export class Message {
  /** Whoever routes the message may replace it by an equal string that does not hang on the chunk it came in. */
  subject: string
  /** The reply subject; empty when there is none. */
  readonly reply: string
  /** Bytes of the header block; 0 when there is none. */
  readonly headerSize: number
  /** Bytes of header block and payload together. */
  readonly size: number
  readonly tail: string
  /** The packet that it came in as, or was stored as, for whoever made that; null for a message from NATS that was not stored. */
  origin: unknown = null
  /** The QoS that it was published with; NATS itself knows none. */
  qos: 0 | 1 | 2 = 0
  private stripped: string

  constructor (subject: string, reply: string, headerSize: number, size: number, tail: string) {
    this.subject = subject
    this.reply = reply
    this.headerSize = headerSize
    this.size = size
    this.tail = tail
    this.stripped = headerSize === 0 ? tail : ''
  }

  /** The tail for a receiver that does not support headers. */
  get plainTail (): string {
    if (this.stripped === '') {
      const reply = this.reply === '' ? '' : `${this.reply} `
      this.stripped = `${reply}${this.size - this.headerSize}\r\n${this.tail.slice(-2 - this.size + this.headerSize)}`
    }
    return this.stripped
  }

  /** The header block as latin1 text; empty when there is none. */
  get header (): string {
    const start = this.tail.length - 2 - this.size
    return this.tail.slice(start, start + this.headerSize)
  }

  /** The payload as latin1 text. */
  get body (): string {
    return this.tail.slice(this.tail.length - 2 - this.size + this.headerSize, -2)
  }

  /** The payload as bytes, in memory of their own. */
  get payload (): Buffer {
    return Buffer.from(this.body, 'latin1')
  }
}

/** All of a message from its parts, each latin1 text; an empty reply or header block is none. */
export function messageWith (subject: string, reply: string, header: string, payload: string): Message {
  const size = header.length + payload.length
  const sizes = header === '' ? `${size}` : `${header.length} ${size}`
  const head = reply === '' ? sizes : `${reply} ${sizes}`
  return new Message(subject, reply, header.length, size, `${head}\r\n${header}${payload}\r\n`)
}

/** A message without headers. All is latin1 text. */
export function messageOf (subject: string, reply: string, payload: string): Message {
  return messageWith(subject, reply, '', payload)
}

/** The message with other parts; what it came in as and its QoS stay. */
export function rewritten (message: Message, { subject = message.subject, reply = message.reply, header = message.header, payload = message.body }: {
  subject?: string
  reply?: string
  header?: string
  payload?: string
}): Message {
  const changed = messageWith(subject, reply, header, payload)
  changed.origin = message.origin
  changed.qos = message.qos
  return changed
}
