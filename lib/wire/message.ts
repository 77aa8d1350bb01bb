import { encodeText } from './text.ts'

/**
 * A message as it crosses the gateway: the parts of a NATS frame as latin1 text.
 *
 * `tail` is what every receiver's line has in common: all that follows `MSG <subject> <sid> `, up to and
 * including the last CRLF (`[reply ]<size>\r\n<payload>\r\n`, with a header block
 * `[reply ]<header size> <total size>\r\n<header block><payload>\r\n`). Sizes stand there as the publisher
 * wrote them, since nats-server repeats `005` as `005`.
 */
export class Message {
  readonly subject: string
  /** The reply subject; empty when there is none. */
  readonly reply: string
  /** Bytes of the header block; 0 when there is none. */
  readonly headerSize: number
  /** Bytes of header block and payload together. */
  readonly size: number
  readonly tail: string
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

  /** The payload, in memory of its own. */
  get payload (): Buffer {
    return Buffer.from(this.tail.slice(this.tail.length - 2 - this.size + this.headerSize, -2), 'latin1')
  }
}

/** A message without headers whose payload is given as bytes. `subject` and `reply` are latin1 text. */
export function messageOf (subject: string, reply: string, payload: Buffer | string): Message {
  const text = typeof payload === 'string' ? encodeText(payload) : payload.toString('latin1')
  const tail = reply === '' ? `${text.length}\r\n${text}\r\n` : `${reply} ${text.length}\r\n${text}\r\n`
  return new Message(subject, reply, 0, text.length, tail)
}
