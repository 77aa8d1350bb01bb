import { isLiteral } from '../subject/grammar.ts'
import { type Message, rewritten } from '../wire/message.ts'
import { withLines } from '../wire/headers.ts'

// A NATS service answers a request of an MQTT 5 client by its reply subject alone: the correlation data that the answer
// has to return (MQTT 5, 4.10) travels in it, so that nobody has to remember a request:
//
//   _MQTT_REPLY.<correlation data, base64url>.<subject of the response topic>

const prefix = '_MQTT_REPLY.'
// Most bytes of correlation data in a reply subject. Longer ones are in the header Nmqtt-Correlation-Data alone.
export const maxCorrelation = 1024
// Longest reply subject: a PUB to it has to fit the control line of 4,096 bytes that is nats-server's default, and
// whoever sends a longer one is cut off. Response topics may have 65,535 bytes.
const maxReply = 4000

/**
 * The reply subject of a request to NATS.
 *
 * @param subject that of the response topic
 * @param correlationData undefined where there is none
 * @returns empty for one that nobody could answer
 */
export function replySubject (subject: string, correlationData: Uint8Array | undefined): string {
  if (subject.length > maxReply) return ''
  if (correlationData === undefined || correlationData.length === 0 || correlationData.length > maxCorrelation) return subject
  // A persistence may hand out any view of bytes.
  const reply = `${prefix}${Buffer.from(correlationData).toString('base64url')}.${subject}`
  return reply.length > maxReply ? subject : reply
}

// hot: once per message whose subject begins with `_`
export function isCorrelated (subject: string): boolean {
  return subject.startsWith(prefix)
}

/** What a reply subject stands for; null where it stands for nothing but itself. */
function read (reply: string): { readonly data: Buffer, readonly subject: string } | null {
  const [, token = '', subject = ''] = /^_MQTT_REPLY\.([\w-]+)\.(.+)$/s.exec(reply) ?? []
  const data = Buffer.from(token, 'base64url')
  return data.length === 0 || data.toString('base64url') !== token || !isLiteral(subject) ? null : { data, subject }
}

/** The subject that an answer to any reply subject is published to. */
export function answerSubject (reply: string): string {
  return isCorrelated(reply) ? read(reply)?.subject ?? reply : reply
}

/**
 * The answer to such a reply subject as what it is: a message to the response topic, with the correlation data. A subject
 * that stands for none is one like any other.
 */
export function uncorrelated (message: Message): Message {
  const answered = read(message.subject)
  if (answered === null) return message
  const { data, subject } = answered
  return rewritten(message, { subject, header: withLines(message.header, `Nmqtt-Correlation-Data: ${data.toString('base64')}\r\n`) })
}
