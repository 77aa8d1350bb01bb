import { randomBytes } from 'node:crypto'
import { publishedAt } from '../broker/identity.ts'
import type { AckKind } from '../options.ts'
import type { Held } from './held.ts'
import { withLines } from '../wire/headers.ts'
import { type Message, rewritten } from '../wire/message.ts'
import { encodeText } from '../wire/text.ts'

/**
 * What the members of a group get for a stored message: the message with headers that name it, and for acknowledgement
 * by reply a reply subject of the form that JetStream gives (server/consumer.go, `$JS.ACK` and seven tokens), since
 * clients acknowledge by it whatever they were told:
 *
 *   $JS.ACK.<stream>.<consumer>.<delivered>.<stream sequence>.<consumer sequence>.<ns since 1970>.<pending>
 */
export class Delivery {
  private readonly kind: AckKind
  private readonly prefix: string
  private sequence = 0

  /**
   * @param stream what the stream token begins with; the rest is of this group alone, since whoever knows it may
   *   acknowledge, and members of one group must not guess it for another
   * @param consumer a token for the group
   */
  constructor (kind: AckKind, stream: string, consumer: string) {
    this.kind = kind
    this.prefix = `${ackPrefix}${stream}_${randomBytes(9).toString('hex')}.${consumer}.`
  }

  // hot: once per delivery
  /** The reply subject for the next delivery; empty where PONG acknowledges. `waiting` follow in hand. */
  reply (held: Held, waiting: number): string {
    const sequence = ++this.sequence
    if (this.kind === 'pong') return ''
    const counter = held.id.slice(held.id.lastIndexOf(':') + 1)
    const time = publishedAt(Number(counter)) ?? Date.now()
    return `${this.prefix}${held.deliveries + 1}.${counter}.${sequence}.${time}000000.${waiting}`
  }

  // hot: once per delivery
  message (held: Held, reply: string): Message {
    const { message } = held
    let lines = `Nmqtt-Id: ${headerText(held.id)}\r\n`
    if (held.deliveries > 0) lines += `Nmqtt-Delivered: ${held.deliveries + 1}\r\n`
    if (reply !== '' && message.reply !== '') lines += `Nmqtt-Reply: ${message.reply}\r\n`
    return rewritten(message, { reply: reply === '' ? message.reply : reply, header: withLines(headerOf(held), lines) })
  }
}

/** With what is left of the time that the message may be delivered in. */
function headerOf ({ message: { header }, expiry }: Held): string {
  if (expiry === Infinity) return header
  return header.replace(/\r\nNmqtt-Expiry: \d+/, `\r\nNmqtt-Expiry: ${Math.max(1, Math.ceil((expiry - Date.now()) / 1000))}`)
}

export const ackPrefix = '$JS.ACK.'

/** The host chooses broker ids; one must not end the header line. */
function headerText (id: string): string {
  return encodeText(id.replace(/[\r\n]/g, ' '))
}

/** A group's name as one token of a subject. */
export function consumerToken (name: string): string {
  return name.replace(/[^\w-]/g, '_')
}
