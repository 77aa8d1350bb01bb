import t from 'tap'
import fc from 'fast-check'
import { createRequire } from 'node:module'
import type { PublishPacket } from '../../lib/broker/host.ts'
import { encodePacket } from '../../lib/broker/packet-encoder.ts'

// What aedes-persistence-redis has itself.
const require = createRequire(createRequire(import.meta.url).resolve('aedes-persistence-redis'))
const msgpack = require('msgpack-lite') as { encode (value: unknown): Buffer, decode (bytes: Buffer): Record<string, unknown> }
const Packet = (require('aedes-persistence') as { Packet: new (original: object) => object }).Packet

const text = fc.oneof(
  fc.string(), fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }),
  // Around the lengths where heads grow, in characters and in bytes.
  fc.tuple(fc.constantFrom('a', 'é', '€', '😀'), fc.constantFrom(10, 11, 15, 16, 31, 32, 63, 64, 85, 86, 127, 128, 254, 255, 256, 21845, 65535, 65536)).map(([char, count]) => char.repeat(count))
)
const bytes = fc.oneof(fc.uint8Array({ maxLength: 600 }), fc.constantFrom(0, 253, 254, 255, 256, 65535, 65536).map((length) => new Uint8Array(length))).map((array) => Buffer.from(array))
const number = fc.oneof(fc.integer(), fc.double(), fc.nat(), fc.maxSafeInteger(), fc.constantFrom(-0, 127, 128, 255, 256, 65535, 65536, 2 ** 31 - 1, 2 ** 31, 2 ** 32, -32, -33, -128, -129, -32768, -32769, -(2 ** 31)))
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, text, bytes, number, fc.boolean(), fc.constantFrom(null, undefined), fc.array(tie('value'), { maxLength: 20 }), fc.dictionary(text, tie('value'), { maxKeys: 20 }))
}))
const packet = fc.record({
  cmd: fc.constant('publish' as const),
  brokerId: fc.oneof(fc.uuid(), text.filter((id) => id !== '')),
  brokerCounter: fc.oneof(fc.integer({ min: 1 }), fc.maxSafeInteger().map((n) => Math.abs(n) + 1)),
  topic: text,
  payload: fc.oneof(bytes, text),
  qos: fc.constantFrom(1 as const, 2 as const),
  retain: fc.boolean(),
  dup: fc.boolean(),
  clientId: text,
  nl: fc.boolean(),
  properties: fc.oneof(fc.constant(undefined), fc.dictionary(text, value, { maxKeys: 20 })),
  messageExpiry: fc.maxSafeInteger(),
  messageId: fc.nat(65535)
}, { requiredKeys: ['cmd', 'brokerId', 'brokerCounter', 'topic', 'payload', 'qos', 'retain', 'dup'] })

t.test('a packet is encoded as aedes-persistence-redis encodes it, byte for byte', async (t) => {
  fc.assert(fc.property(packet, (generated) => {
    const expected = msgpack.encode(new Packet(generated))
    const actual = encodePacket(generated as PublishPacket)
    return actual.equals(expected)
  }), { numRuns: 3000 })
  t.pass('3000 packets')
})

t.test('a packet as Aedes has it is read back as it was', async (t) => {
  const original = new Packet({
    topic: 'a/b', payload: Buffer.from('x'), qos: 1, brokerId: 'b', brokerCounter: Date.now() * 1024, properties: { responseTopic: 'r', userProperties: { a: ['1', '2'] }, topicAlias: undefined }
  }) as PublishPacket
  const decoded = msgpack.decode(encodePacket(original))
  t.strictSame(decoded, msgpack.decode(msgpack.encode(original)))
  t.equal(decoded['brokerCounter'], original.brokerCounter)
})

t.test('it is encoded faster than by msgpack-lite', async (t) => {
  const original = new Packet({ topic: 'sensors/12/temperature', payload: Buffer.alloc(128), qos: 1, brokerId: 'b0d1f5c2-broker', brokerCounter: Date.now() * 1024 }) as PublishPacket
  const time = (encode: () => unknown): number => {
    const times = Array.from({ length: 9 }, () => {
      const start = performance.now()
      for (let i = 0; i < 2000; i++) encode()
      return performance.now() - start
    })
    return Math.min(...times)
  }
  const theirs = time(() => msgpack.encode(new Packet(original)))
  const ours = time(() => encodePacket(original))
  t.comment(`${(theirs / 2).toFixed(2)} us, ${(ours / 2).toFixed(2)} us`)
  t.ok(ours < theirs)
})
