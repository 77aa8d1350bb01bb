import fc from 'fast-check'
import t from 'tap'
import { isCorrelated, replySubject, uncorrelated } from '../../lib/broker/correlation.ts'
import { messageWith } from '../../lib/wire/message.ts'

const token = fc.string({ unit: fc.constantFrom(...'ab/_-$é'), minLength: 1, maxLength: 6 })
const subjects = fc.array(token, { minLength: 1, maxLength: 5 }).map((tokens) => Buffer.from(tokens.join('.'), 'utf8').toString('latin1'))

t.test('any correlation data comes back, with the headers of the answer', async () => {
  fc.assert(fc.property(subjects, fc.uint8Array({ minLength: 1, maxLength: 1024 }), fc.constantFrom('', 'NATS/1.0\r\nA: b\r\n\r\n'), (subject, data, header) => {
    const reply = replySubject(subject, Buffer.from(data))
    const answer = uncorrelated(messageWith(reply, '', header, 'x'))
    return isCorrelated(reply) && answer.subject === subject && answer.body === 'x' &&
      answer.header === `NATS/1.0\r\nNmqtt-Correlation-Data: ${Buffer.from(data).toString('base64')}\r\n${header === '' ? '\r\n' : header.slice(10)}`
  }))
})

t.test('what has no correlation data, or too much of it, is a plain reply', async (t) => {
  t.equal(replySubject('a.b', undefined), 'a.b')
  t.equal(replySubject('a.b', Buffer.alloc(0)), 'a.b')
  t.equal(replySubject('a.b', Buffer.alloc(1025)), 'a.b')
  t.equal(replySubject('a.b', Buffer.of(0)), '_MQTT_REPLY.AA.a.b')
})

t.test('a reply that fits no control line is none, or has no correlation data', async (t) => {
  const [fits, long, longest, tooLong] = [2621, 2622, 4000, 4001].map((length) => 'x'.repeat(length)) as [string, string, string, string]
  const data = Buffer.alloc(1024)
  t.equal(replySubject(fits, data).length, 4000)
  t.equal(replySubject(long, data), long)
  t.equal(replySubject(longest, undefined), longest)
  t.equal(replySubject(tooLong, undefined), '')
  t.equal(replySubject(tooLong, data), '')
})

t.test('a subject that stands for no answer is one like any other', async (t) => {
  const rows = [
    '_MQTT_REPLY', '_MQTT_REPLY.', '_MQTT_REPLY.QQ', '_MQTT_REPLY.QQ.', '_MQTT_REPLY..a', '_MQTT_REPLY.QQ..a', '_MQTT_REPLY.QQ.a.', '_MQTT_REPLY.QQ.*', '_MQTT_REPLY.QQ.a.>',
    '_MQTT_REPLY.Q.a', '_MQTT_REPLY.QQQQQ.a', '_MQTT_REPLY.QR.a', '_MQTT_REPLY.Q+.a', '_MQTT_REPLY.QQ==.a', '_MQTT_REPLY.é.a', '_MQTT_REPLY.*.a', '_mqtt_reply.QQ.a', '_MQTT_REPLYQQ.a'
  ]
  for (const subject of rows) {
    const message = messageWith(subject, '', '', 'x')
    t.equal(uncorrelated(message), message, subject)
  }
  t.equal(uncorrelated(messageWith('_MQTT_REPLY.QQ._MQTT_REPLY.Qg.a', '', '', 'x')).subject, '_MQTT_REPLY.Qg.a', 'once')
})
