import { createRequire } from 'node:module'
import fc from 'fast-check'
import t from 'tap'
import { decodePacket } from '../../lib/durable/packet-decoder.ts'

// What aedes-persistence-redis writes packets with.
const require = createRequire(import.meta.url)
const msgpack = createRequire(require.resolve('aedes-persistence-redis'))('msgpack-lite') as { encode: (value: unknown) => Buffer, decode: (bytes: Buffer) => unknown }
const Packet = createRequire(require.resolve('aedes-persistence'))('aedes-packet') as new (original: object) => object

t.test('a packet with everything', async (t) => {
  const properties = {
    responseTopic: 'answer/to',
    correlationData: Buffer.from([0, 1, 255]),
    contentType: 'text/plain',
    payloadFormatIndicator: true,
    messageExpiryInterval: 4_294_967_295,
    userProperties: { one: 'ä', two: ['b', 'c'], __proto__x: '' },
    subscriptionIdentifier: [1, 70_000]
  }
  const original = { cmd: 'publish', topic: 'a/ü/€/😀', payload: Buffer.alloc(70_000, 7), qos: 1, retain: true, dup: false, brokerId: 'b-1', brokerCounter: Date.now() * 1024, clientId: 'c', nl: false, messageExpiry: 1.9e12, properties }
  t.strictSame({ ...decodePacket(msgpack.encode(new Packet(original))) }, original)
  // As an MQTT session writes it back.
  t.match(decodePacket(msgpack.encode({ ...original, messageId: 65_535 })), { messageId: 65_535 })
})

t.test('whatever msgpack-lite writes reads the same', async () => {
  const leaf = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ minLength: 30, maxLength: 300 }), fc.integer(), fc.double({ noNaN: true }), fc.boolean(), fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)))
  const value = fc.letrec((tie) => ({ value: fc.oneof({ depthSize: 'small' }, leaf, fc.array(tie('value'), { maxLength: 20 }), fc.dictionary(fc.string().filter((name) => name !== '__proto__'), tie('value'), { maxKeys: 20 })) })).value
  // msgpack-lite's own map reader loses this name.
  const known = fc.constantFrom('payload', 'qos', 'properties', 'messageExpiryInterval', 'x')
  fc.assert(fc.property(fc.dictionary(known, value), (fields) => {
    const packet = { topic: 't', ...fields }
    const bytes = msgpack.encode(packet)
    t.strictSame(decodePacket(bytes), msgpack.decode(bytes))
  }), { numRuns: 300 })
})

t.test('numbers of every width, extensions and names of Object.prototype', async (t) => {
  const bytes = (text: string): Buffer => Buffer.from(`82a5746f706963a174a178${text}`, 'hex')
  const rows: [string, unknown][] = [
    ['cf0000010000000000', 2 ** 40], ['d3ffffffffffffffff', -1], ['ca3f800000', 1], ['d0ff', -1], ['d1ffff', -1], ['d2ffffffff', -1], ['e0', -32], ['ccff', 255], ['cdffff', 65_535], ['ceffffffff', 2 ** 32 - 1],
    ['c0', undefined], ['d40001', undefined], ['c7020d0001', undefined], ['dc000101', [1]], ['dd0000000101', [1]], ['de0001a17901', { y: 1 }], ['df00000001a17901', { y: 1 }], ['d9017a', 'z'], ['c5000101', Buffer.from([1])], ['c60000000101', Buffer.from([1])]
  ]
  for (const [text, value] of rows) t.strictSame((decodePacket(bytes(text)) as unknown as { x: unknown }).x, value, text)
  const odd = decodePacket(Buffer.from('82a5746f706963a174a95f5f70726f746f5f5f81a17801', 'hex'))
  t.equal(Object.getPrototypeOf(odd), Object.prototype)
})

t.test('what is cut off, or no packet, is refused', async (t) => {
  const whole = msgpack.encode(new Packet({ topic: 'a', payload: Buffer.from('xyz'), qos: 1, properties: { responseTopic: 'b' } }))
  for (let length = 0; length < whole.length; length++) t.throws(() => decodePacket(whole.subarray(0, length)))
  t.throws(() => decodePacket(msgpack.encode('text')))
  t.throws(() => decodePacket(msgpack.encode({ topic: 1 })))
  t.throws(() => decodePacket(msgpack.encode(null)))
})
