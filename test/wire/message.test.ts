import t from 'tap'
import { Message, messageOf, rewritten } from '../../lib/wire/message.ts'

t.test('a message from a payload has the tail of a MSG', async (t) => {
  const message = messageOf('foo', '', 'hello')
  t.equal(message.tail, '5\r\nhello\r\n')
  t.equal(message.plainTail, message.tail)
  t.equal(message.header, '')
  t.equal(message.body, 'hello')
  t.strictSame(message.payload, Buffer.from('hello'))
  t.equal(messageOf('foo', 'bar', '').tail, 'bar 0\r\n\r\n')
})

t.test('payloads are bytes, whatever they are', async (t) => {
  const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
  t.strictSame(messageOf('foo', '', all.toString('latin1')).payload, all)
})

t.test('the plain tail leaves the header block out and counts anew', async (t) => {
  const message = new Message('foo', 'r.x', 12, 14, 'r.x 12 14\r\nName:Derek\r\nOK\r\n')
  t.equal(message.plainTail, 'r.x 2\r\nOK\r\n')
  t.equal(message.plainTail, 'r.x 2\r\nOK\r\n', 'also the second time')
  t.equal(message.header, 'Name:Derek\r\n')
  t.equal(new Message('foo', '', 2, 2, '2 2\r\nab\r\n').plainTail, '0\r\n\r\n')
})

t.test('another payload keeps reply, header block and origin', async (t) => {
  const message = new Message('foo', 'r.x', 12, 14, 'r.x 12 14\r\nName:Derek\r\nOK\r\n')
  message.origin = { a: 1 }
  const changed = rewritten(message, { subject: 'bar', payload: 'changed' })
  t.equal(changed.subject, 'bar')
  t.equal(changed.tail, 'r.x 12 19\r\nName:Derek\r\nchanged\r\n')
  t.equal(changed.header, 'Name:Derek\r\n')
  t.equal(changed.origin, message.origin)
  t.equal(rewritten(messageOf('foo', '', 'x'), { payload: 'yy' }).tail, '2\r\nyy\r\n')
})
