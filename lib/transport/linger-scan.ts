// Packet types: the upper four bits of a packet's first byte (MQTT 5.0, 2.1.2).
const CONNECT = 1
const DISCONNECT = 14

// A length is one to four bytes of seven bits, the lowest first; a set eighth bit tells that one more follows (1.5.5).
const seven = 0x80
const highestWeight = seven ** 3

/**
 * Follows the packets in the bytes of an MQTT client, cut anywhere, by their fixed headers alone: type, then length of
 * the rest. It stops where something else has to happen first: behind the CONNECT that opens the stream, and in front
 * of a DISCONNECT.
 */
export class PacketScan {
  /** How many packets ended in the bytes of the last `scan`. */
  packets: number
  /** The last `scan` stopped behind CONNECT. */
  hasConnect: boolean
  /** The last `scan` began with DISCONNECT, which is counted as one packet, or followed it. */
  hasDisconnect: boolean
  private isFirst: boolean
  private isConnect: boolean
  // These bytes are no MQTT: nothing is found in them any more.
  private isBroken: boolean
  // What is to come of the body.
  private left: number
  // The weight of the next byte of the length; 0 in front of a packet and inside a body.
  private weight: number
  private length: number

  constructor () {
    this.packets = 0
    this.hasConnect = false
    this.hasDisconnect = false
    this.isFirst = true
    this.isConnect = false
    this.isBroken = false
    this.left = 0
    this.weight = 0
    this.length = 0
  }

  // hot: once per chunk, its loop two or three times per packet
  /** Scans from `start` to the next stop and returns its place. */
  scan (chunk: Uint8Array, start: number): number {
    const end = chunk.length
    let at = start
    this.packets = 0
    this.hasConnect = false
    while (at < end && !this.isBroken && !this.hasDisconnect) {
      if (this.left > end - at) {
        this.left -= end - at
        return end
      }
      if (this.left > 0) {
        at += this.left
        this.left = 0
      } else if (this.weight === 0) {
        const type = (chunk[at] as number) >> 4
        if (type === DISCONNECT && at > start) return at
        this.begin(type)
        at++
        continue
      } else if (this.measure(chunk[at++] as number)) {
        continue
      }
      this.packets++
      if (this.isConnect) {
        this.isConnect = false
        this.hasConnect = true
        return at
      }
    }
    return end
  }

  private begin (type: number): void {
    this.isConnect = this.isFirst && type === CONNECT
    this.isFirst = false
    this.weight = 1
    this.length = 0
    if (type === DISCONNECT) {
      this.hasDisconnect = true
      this.packets = 1
    }
  }

  /** Takes one byte of the length; tells whether the packet goes on behind it. */
  private measure (byte: number): boolean {
    this.length += (byte % seven) * this.weight
    if (byte >= seven) {
      this.isBroken = this.weight === highestWeight
      this.weight *= seven
      return true
    }
    this.weight = 0
    this.left = this.length
    return this.left > 0
  }
}
