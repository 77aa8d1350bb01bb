import { type Message, rewritten } from '../wire/message.ts'
import { withLines } from '../wire/headers.ts'

// A NATS service answers a request of an MQTT 5 client by its reply subject alone: the correlation data that the answer
// has to return (MQTT 5, 4.10) travels in it, so that nobody has to remember a request:
//
//   _MQTT_REPLY.<correlation data, base64url>.<subject of the response topic>

const prefix = '_MQTT_REPLY.'
// Most bytes of correlation data in a reply subject: a PUB with it still fits a control line. Longer ones are in the
// header Nmqtt-Correlation-Data alone.
const maxCorrelation = 1024

/** The reply subject for a request with correlation data. */
export function correlated (reply: string, correlationData: Buffer): string {
  if (correlationData.length === 0 || correlationData.length > maxCorrelation) return reply
  // A persistence may hand out any view of bytes.
  return `${prefix}${Buffer.from(correlationData).toString('base64url')}.${reply}`
}

// hot: once per message whose subject begins with `_`
export function isCorrelated (subject: string): boolean {
  return subject.startsWith(prefix)
}

/** The subject that an answer to a reply subject is published to. */
export function answerSubject (reply: string): string {
  if (!isCorrelated(reply)) return reply
  const end = reply.indexOf('.', prefix.length)
  return end === -1 ? reply : reply.slice(end + 1)
}

/** The answer to such a reply subject as what it is: a message to the response topic, with the correlation data. */
export function uncorrelated (message: Message): Message {
  const { subject, header } = message
  const end = subject.indexOf('.', prefix.length)
  const data = Buffer.from(subject.slice(prefix.length, end), 'base64url')
  if (end === -1 || data.length === 0) return message
  return rewritten(message, {
    subject: subject.slice(end + 1),
    header: withLines(header, `Nmqtt-Correlation-Data: ${data.toString('base64')}\r\n`)
  })
}
