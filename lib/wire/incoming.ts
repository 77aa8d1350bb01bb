import type { PublishArguments } from './arguments.ts'
import { Message } from './message.ts'
import { detach } from './text.ts'

// A payload may come a byte at a time: each part costs some forty bytes beyond its own until so many are joined.
const maxParts = 256

/** The part of a text behind `at`, which does not keep a text in memory that is far larger. */
export function remainder (text: string, at: number): string {
  return at > text.length / 2 ? detach(text.slice(at)) : text.slice(at)
}

// Blanks before an argument are no part of it (parser.go OP_SUB_SPC): the limit of its length would not end them.
const extraBlanks = /^([a-z+-]+[ \t])[ \t]+/i

/** The same for a text that goes on with a control line, which may be blank without end. */
export function lineRemainder (text: string, at: number): string {
  return remainder(text, at).replace(extraBlanks, '$1')
}

/** A PUB or HPUB whose payload is still to come: it holds about as many bytes as have come, whatever size it states. */
export class Incoming {
  private subject: string
  private reply: string
  private head: string
  private readonly headerSize: number
  private readonly size: number
  private length = 0
  private readonly parts: string[] = []
  private joined = 0
  private isKept = false

  constructor ({ subject, reply, head, headerSize, size }: PublishArguments) {
    this.subject = subject
    this.reply = reply
    this.head = head
    this.headerSize = headerSize
    this.size = size
  }

  /** Bytes to come, CRLF included. */
  get missing (): number {
    return this.size + 2 - this.length
  }

  /** What follows comes with a later chunk. */
  keep (): void {
    if (this.isKept) return
    this.isKept = true
    this.subject = detach(this.subject)
    this.reply = detach(this.reply)
    this.head = detach(this.head)
  }

  /** Takes what has come so far. */
  add (part: string): void {
    this.keep()
    this.length += part.length
    this.parts.push(part)
    if (this.parts.length - this.joined < maxParts) return
    this.parts.push(this.parts.splice(this.joined).join(''))
    this.joined++
  }

  // hot: once per message with headers, or cut
  /** The message, with the last part. */
  complete (part: string): Message {
    const body = this.parts.length === 0 ? part : this.parts.join('') + part
    return new Message(this.subject, this.reply, this.headerSize, this.size, this.head + body)
  }
}
