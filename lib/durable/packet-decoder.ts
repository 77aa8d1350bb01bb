import type { PublishPacket } from '../broker/host.ts'

// aedes-persistence-redis writes packets with msgpack-lite, whose decoder takes 4 us for each; this one takes a quarter.

// The names that occur in packets, so that no string is made for them. 256 slots, no two of these in one.
const names = [
  'clientId', 'nl', 'properties', 'messageExpiry', 'cmd', 'brokerId', 'brokerCounter', 'topic', 'payload', 'qos', 'retain', 'dup', 'messageId',
  'responseTopic', 'correlationData', 'contentType', 'userProperties', 'payloadFormatIndicator', 'messageExpiryInterval', 'subscriptionIdentifier'
]
const table: (Buffer | undefined)[] = []
const texts: string[] = []

function slot (bytes: Buffer, start: number, length: number): number {
  // First and last character and the length tell most apart.
  return ((bytes[start] as number) * 3 + (bytes[start + length - 1] as number) * 3 + length * 5) & 0xff
}

for (const name of names) {
  const bytes = Buffer.from(name)
  table[slot(bytes, 0, bytes.length)] = bytes
  texts[slot(bytes, 0, bytes.length)] = name
}

/** Reads one value of MessagePack (github.com/msgpack/msgpack spec.md); extension types read as undefined. */
class PacketDecoder {
  private bytes: Buffer = Buffer.alloc(0)
  private at = 0

  decode (bytes: Buffer): unknown {
    this.bytes = bytes
    this.at = 0
    try {
      return this.value()
    } finally {
      this.bytes = Buffer.alloc(0)
    }
  }

  // hot: several times per message
  private value (): unknown {
    const { bytes } = this
    const type = bytes.readUInt8(this.at++)
    if (type < 0x80) return type
    if (type < 0x90) return this.map(type & 0x0f)
    if (type < 0xa0) return this.array(type & 0x0f)
    if (type < 0xc0) return this.text(type & 0x1f)
    if (type >= 0xe0) return type - 0x100
    switch (type) {
      case 0xc2: return false
      case 0xc3: return true
      case 0xc4: return this.binary(this.size(1))
      case 0xc5: return this.binary(this.size(2))
      case 0xc6: return this.binary(this.size(4))
      case 0xc7: return this.extension(this.size(1))
      case 0xc8: return this.extension(this.size(2))
      case 0xc9: return this.extension(this.size(4))
      case 0xca: return bytes.readFloatBE(this.skip(4))
      case 0xcb: return bytes.readDoubleBE(this.skip(8))
      case 0xcc: return bytes.readUInt8(this.skip(1))
      case 0xcd: return bytes.readUInt16BE(this.skip(2))
      case 0xce: return bytes.readUInt32BE(this.skip(4))
      case 0xcf: return Number(bytes.readBigUInt64BE(this.skip(8)))
      case 0xd0: return bytes.readInt8(this.skip(1))
      case 0xd1: return bytes.readInt16BE(this.skip(2))
      case 0xd2: return bytes.readInt32BE(this.skip(4))
      case 0xd3: return Number(bytes.readBigInt64BE(this.skip(8)))
      case 0xd4: case 0xd5: case 0xd6: case 0xd7: case 0xd8: return this.extension(1 << (type - 0xd4))
      case 0xd9: return this.text(this.size(1))
      case 0xda: return this.text(this.size(2))
      case 0xdb: return this.text(this.size(4))
      case 0xdc: return this.array(this.size(2))
      case 0xdd: return this.array(this.size(4))
      case 0xde: return this.map(this.size(2))
      case 0xdf: return this.map(this.size(4))
      // nil, which is how msgpack-lite writes undefined
      default: return undefined
    }
  }

  private skip (length: number): number {
    const start = this.at
    this.at += length
    if (this.at > this.bytes.length) throw new RangeError('a stored packet ends early')
    return start
  }

  private size (width: 1 | 2 | 4): number {
    return this.bytes.readUIntBE(this.skip(width), width)
  }

  private text (length: number): string {
    const start = this.skip(length)
    return this.bytes.toString('utf8', start, start + length)
  }

  private binary (length: number): Buffer {
    const start = this.skip(length)
    return this.bytes.subarray(start, start + length)
  }

  private extension (length: number): undefined {
    this.skip(length + 1)
  }

  private array (length: number): unknown[] {
    const items: unknown[] = []
    for (let i = 0; i < length; i++) items.push(this.value())
    return items
  }

  private map (length: number): Record<string, unknown> {
    const map: Record<string, unknown> = {}
    for (let i = 0; i < length; i++) {
      const name = this.name()
      const value = this.value()
      if (name === '__proto__') Object.defineProperty(map, name, { value, enumerable: true, configurable: true, writable: true })
      else if (value !== undefined) map[name] = value
    }
    return map
  }

  private name (): string {
    const { bytes, at } = this
    const type = bytes.readUInt8(at)
    const length = type & 0x1f
    if (type >= 0xa1 && type < 0xc0 && at + length < bytes.length) {
      const place = slot(bytes, at + 1, length)
      const known = table[place]
      if (known !== undefined && known.length === length) {
        let i = 0
        while (i < length && known[i] === bytes[at + 1 + i]) i++
        if (i === length) {
          this.at = at + 1 + length
          return texts[place] as string
        }
      }
    }
    return String(this.value())
  }
}

const decoder = new PacketDecoder()

/**
 * Reads a packet as aedes-persistence-redis stores it. Its Buffers are views of `bytes`.
 *
 * @throws {Error} when it is none
 */
export function decodePacket (bytes: Buffer): PublishPacket {
  const packet = decoder.decode(bytes) as PublishPacket | undefined
  if (typeof packet?.topic !== 'string') throw new TypeError('no packet')
  return packet
}
