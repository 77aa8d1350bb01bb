import fc from 'fast-check'
import mqttPacket, { type Packet } from 'mqtt-packet'
import t from 'tap'
import { ByteWindow, readFromWindow } from '../../lib/cli/byte-window.ts'

interface Read {
  packets: Packet[]
  errors: string[]
}

/** What the parser reads from these chunks, with its own list of buffers or with a window. */
function read (chunks: readonly Buffer[], window: boolean): Read {
  const parser = mqttPacket.parser({ protocolVersion: 5 })
  const result: Read = { packets: [], errors: [] }
  parser.on('packet', (packet) => { result.packets.push(packet) })
  parser.on('error', (error: Error) => { result.errors.push(error.message) })
  if (window) readFromWindow({ _parser: parser })
  for (const chunk of chunks) parser.parse(chunk)
  return result
}

function cutAt (bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const chunks: Buffer[] = []
  let at = 0
  for (const cut of cuts) {
    chunks.push(bytes.subarray(at, at + cut))
    at += cut
  }
  chunks.push(bytes.subarray(at))
  return chunks.filter((chunk) => chunk.length > 0)
}

const connect = mqttPacket.generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 5, clientId: 'c', clean: true, keepalive: 5, username: 'u', password: Buffer.from('p'), properties: { sessionExpiryInterval: 70_000, userProperties: { a: ['b', 'c'] } }, will: { topic: 'w', payload: Buffer.from('x'), qos: 1, retain: false } })
const packet = fc.oneof(
  fc.record({ topic: fc.string({ minLength: 1, maxLength: 40 }), payload: fc.uint8Array({ maxLength: 400 }), qos: fc.constantFrom(0 as const, 1 as const, 2 as const) })
    .map(({ topic, payload, qos }) => mqttPacket.generate({ cmd: 'publish', topic, payload: Buffer.from(payload), qos, messageId: 7, retain: false, dup: false, properties: { responseTopic: 'r' } }, { protocolVersion: 5 })),
  fc.constant(mqttPacket.generate({ cmd: 'subscribe', messageId: 9, subscriptions: [{ topic: 'a/#', qos: 1 }, { topic: 'b', qos: 0 }] }, { protocolVersion: 5 })),
  fc.constant(mqttPacket.generate({ cmd: 'puback', messageId: 9, reasonCode: 0x10 }, { protocolVersion: 5 })),
  fc.constant(mqttPacket.generate({ cmd: 'pingreq' })),
  fc.constant(mqttPacket.generate({ cmd: 'disconnect', reasonCode: 4 }, { protocolVersion: 5 })),
  fc.uint8Array({ minLength: 1, maxLength: 6 }).map((bytes) => Buffer.from(bytes))
)

t.test('the parser reads the same from a window as from its own list, however the bytes are cut', async () => {
  fc.assert(fc.property(fc.array(packet, { maxLength: 6 }), fc.array(fc.nat(300), { maxLength: 12 }), (packets, cuts) => {
    const bytes = Buffer.concat([connect, ...packets])
    const chunks = cutAt(bytes, cuts)
    return JSON.stringify(read(chunks, true)) === JSON.stringify(read(chunks, false))
  }), { numRuns: 2000 })
})

t.test('cut at every byte', async (t) => {
  const bytes = Buffer.concat([connect, mqttPacket.generate({ cmd: 'publish', topic: 'a/b', payload: 'hello', qos: 1, messageId: 3, retain: false, dup: false }, { protocolVersion: 5 })])
  const wanted = JSON.stringify(read([bytes], false))
  for (let cut = 1; cut < bytes.length; cut++) t.equal(JSON.stringify(read(cutAt(bytes, [cut]), true)), wanted)
  t.equal(JSON.stringify(read([...bytes].map((byte) => Buffer.from([byte])), true)), wanted)
})

t.test('a long packet in many chunks is copied once', async (t) => {
  const window = new ByteWindow()
  for (let i = 0; i < 1000; i++) window.append(Buffer.alloc(1000, i % 256))
  t.equal(window.length, 1_000_000)
  t.equal(window.readUInt8(0), 0)
  t.equal((window as unknown as { later: Buffer[] }).later.length, 999)
  t.equal(window.slice(0, 1_000_000).length, 1_000_000)
  window.consume(999_999)
  t.equal(window.readUInt8(0), 999 % 256)
  t.equal(window.readUInt8(1), undefined)
})

t.test('takes bytes across chunks without reading them', async (t) => {
  const window = new ByteWindow()
  window.append(Buffer.from('abc'))
  window.append(Buffer.from('def'))
  window.consume(4)
  t.equal(window.toString('utf8', 0, 2), 'ef')
})

t.test('leaves a client alone that reads otherwise', async (t) => {
  const client = { _parser: { _list: { length: 5 } } }
  readFromWindow(client)
  t.strictSame(client, { _parser: { _list: { length: 5 } } })
  readFromWindow({})
})
