import type { PublishPacket } from './host.ts'

// What aedes-persistence-redis stores of a packet: `msgpack.encode(new Packet(packet))` of msgpack-lite and
// aedes-packet, byte for byte, since brokers of any version read it.

// First bytes of the MessagePack format.
const nil = 0xc0
const no = 0xc2
const yes = 0xc3
const float64 = 0xcb
const nothing = Buffer.alloc(0)

/** Any value as msgpack-lite encodes it, as far as JSON and Buffers go; what MessagePack cannot say is nil. */
export function encodeValue (value: unknown): Buffer {
  const buffer = Buffer.allocUnsafe(room(value))
  return buffer.subarray(0, write(buffer, 0, value))
}

const command = Buffer.concat([encodeValue('cmd'), encodeValue('publish'), encodeValue('brokerId')])
const counterKey = encodeValue('brokerCounter')
const topicKey = encodeValue('topic')
const payloadKey = encodeValue('payload')
const qosKey = encodeValue('qos')
const retainKey = encodeValue('retain')
const dupKey = encodeValue('dup')
// A packet has one from the moment it goes to a client.
const noMessageId = Buffer.concat([encodeValue('messageId'), Buffer.from([nil])])
const keys = ['clientId', 'nl', 'properties', 'messageExpiry'] as const
const optionalKeys = keys.map((key) => ({ key, bytes: encodeValue(key) }))
// All keys above, and what the numbers and flags take.
const fixedRoom = 200

/** Most bytes that a value takes. */
function room (value: unknown): number {
  if (typeof value === 'string') return 5 + value.length * 3
  if (typeof value !== 'object' || value === null) return 9
  if (Buffer.isBuffer(value)) return 5 + value.length
  let sum = 5
  if (Array.isArray(value)) for (const item of value) sum += room(item)
  else for (const key of Object.keys(value)) sum += room(key) + room((value as Record<string, unknown>)[key])
  return sum
}

/** Writes a head with a length of one, two or four bytes; `first` is the first byte of the two-byte form. */
function writeLength (buffer: Buffer, at: number, first: number, length: number): number {
  if (length <= 0xffff) {
    buffer[at++] = first
  } else {
    buffer[at++] = first + 1
    buffer[at++] = length >>> 24
    buffer[at++] = length >>> 16
  }
  buffer[at++] = length >>> 8
  buffer[at++] = length
  return at
}

function writeString (buffer: Buffer, at: number, value: string): number {
  const { length } = value
  let head = length < 32 ? 1 : length <= 0xff ? 2 : length <= 0xffff ? 3 : 5
  const bytes = buffer.write(value, at + head)
  const actual = bytes < 32 ? 1 : bytes <= 0xff ? 2 : bytes <= 0xffff ? 3 : 5
  if (actual !== head) {
    buffer.copyWithin(at + actual, at + head, at + head + bytes)
    head = actual
  }
  if (head === 1) {
    buffer[at] = 0xa0 + bytes
  } else if (head === 2) {
    buffer[at] = 0xd9
    buffer[at + 1] = bytes
  } else {
    writeLength(buffer, at, 0xda, bytes)
  }
  return at + head + bytes
}

function writeNumber (buffer: Buffer, at: number, value: number): number {
  const whole = value | 0
  if (whole !== value) {
    buffer[at] = float64
    return buffer.writeDoubleBE(value, at + 1)
  }
  if (whole >= -0x20 && whole <= 0x7f) {
    buffer[at] = whole & 0xff
    return at + 1
  }
  const base = whole < 0 ? 0xd0 : 0xcc
  const bytes = whole < 0 ? (whole >= -0x80 ? 1 : whole >= -0x8000 ? 2 : 4) : (whole <= 0xff ? 1 : whole <= 0xffff ? 2 : 4)
  buffer[at++] = bytes === 1 ? base : bytes === 2 ? base + 1 : base + 2
  for (let shift = (bytes - 1) * 8; shift >= 0; shift -= 8) buffer[at++] = whole >>> shift
  return at
}

function writeBinary (buffer: Buffer, at: number, value: Buffer): number {
  const { length } = value
  if (length < 0xff) {
    buffer[at++] = 0xc4
    buffer[at++] = length
  } else {
    at = writeLength(buffer, at, 0xc5, length)
  }
  return at + value.copy(buffer, at)
}

function writeCount (buffer: Buffer, at: number, few: number, many: number, count: number): number {
  if (count >= 16) return writeLength(buffer, at, many, count)
  buffer[at] = few + count
  return at + 1
}

/** Writes a value where nothing is known of it; what MessagePack cannot say is nil. @returns the place behind it */
function write (buffer: Buffer, at: number, value: unknown): number {
  if (typeof value === 'string') return writeString(buffer, at, value)
  if (typeof value === 'number') return writeNumber(buffer, at, value)
  if (typeof value === 'boolean') {
    buffer[at] = value ? yes : no
    return at + 1
  }
  if (typeof value !== 'object' || value === null) {
    buffer[at] = nil
    return at + 1
  }
  if (Buffer.isBuffer(value)) return writeBinary(buffer, at, value)
  if (Array.isArray(value)) {
    at = writeCount(buffer, at, 0x90, 0xdc, value.length)
    for (const item of value) at = write(buffer, at, item)
    return at
  }
  const names = Object.keys(value)
  at = writeCount(buffer, at, 0x80, 0xde, names.length)
  for (const name of names) at = write(buffer, writeString(buffer, at, name), (value as Record<string, unknown>)[name])
  return at
}

function copy (buffer: Buffer, at: number, bytes: Buffer): number {
  buffer.set(bytes, at)
  return at + bytes.length
}

// hot: once per stored message
/** Encodes a PUBLISH with QoS 1 or 2 as aedes-persistence-redis does. */
export function encodePacket (packet: PublishPacket): Buffer {
  const { brokerId = '', topic, payload } = packet
  let size = fixedRoom + brokerId.length * 3 + topic.length * 3 + (typeof payload === 'string' ? payload.length * 3 : payload.length)
  let fields = 9
  for (const { key } of optionalKeys) {
    if (!Object.hasOwn(packet, key)) continue
    fields++
    size += room(packet[key])
  }
  const buffer = Buffer.allocUnsafe(size)
  buffer[0] = 0x80 + fields
  let at = 1
  if (fields > 9) at = writeOptional(buffer, at, packet)
  at = copy(buffer, at, command)
  at = writeString(buffer, at, brokerId)
  at = copy(buffer, at, counterKey)
  at = writeNumber(buffer, at, packet.brokerCounter as number)
  at = copy(buffer, at, topicKey)
  at = writeString(buffer, at, topic)
  at = copy(buffer, at, payloadKey)
  at = typeof payload === 'string' && payload !== '' ? writeString(buffer, at, payload) : writeBinary(buffer, at, payload === '' ? nothing : payload as Buffer)
  at = copy(buffer, at, qosKey)
  buffer[at++] = packet.qos
  at = copy(buffer, at, retainKey)
  buffer[at++] = packet.retain ? yes : no
  at = copy(buffer, at, dupKey)
  buffer[at++] = packet.dup ? yes : no
  at = copy(buffer, at, noMessageId)
  return buffer.subarray(0, at)
}

function writeOptional (buffer: Buffer, at: number, packet: PublishPacket): number {
  for (const { key, bytes } of optionalKeys) {
    if (Object.hasOwn(packet, key)) at = write(buffer, copy(buffer, at, bytes), packet[key])
  }
  return at
}
