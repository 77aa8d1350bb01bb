import { PacketScan } from './linger-scan.ts'

/** Bytes of the client that the broker gets in one go. */
interface Piece {
  readonly bytes: Buffer
  /** How many packets end in them. */
  readonly packets: number
  /** The last of these packets is the CONNECT that opens the stream. */
  readonly isConnect: boolean
  /** They begin with DISCONNECT or follow it. */
  readonly isLast: boolean
}

// What a chunk costs beside its bytes, so that a flood of tiny ones is counted for what it is.
const chunkCost = 256

/**
 * What the client has sent and the broker has not taken: decides what the broker gets next. CONNECT goes alone, and
 * what follows it waits until Aedes asks for more. DISCONNECT waits until all packets before it are handled: Aedes
 * destroys the connection when it parses it, and loses a QoS 1 message whose `authorizePublish` is still at work.
 */
export class Intake {
  /** Bytes waiting, with what it costs to keep them. */
  held: number
  /** CONNECT is handed out, and the broker has not asked for more yet. */
  isGated: boolean
  /** Packets handed out that the broker has not handled yet. */
  unhandled: number
  /** Whether the broker tells what it has handled. */
  isCounting: boolean
  // DISCONNECT is handed out, or the first bytes of it.
  private isLeaving: boolean
  private readonly scan: PacketScan
  private readonly pieces: Piece[]

  constructor () {
    this.held = 0
    this.isGated = false
    this.unhandled = 0
    this.isCounting = false
    this.isLeaving = false
    this.scan = new PacketScan()
    this.pieces = []
  }

  get isEmpty (): boolean {
    return this.pieces.length === 0
  }

  /** Whether DISCONNECT has arrived. */
  get isComplete (): boolean {
    return this.scan.hasDisconnect
  }

  get isHandled (): boolean {
    return !this.isCounting || this.unhandled === 0
  }

  add (chunk: Buffer): void {
    const { scan } = this
    let from = 0
    while (from < chunk.length) {
      const to = scan.scan(chunk, from)
      const bytes = to - from === chunk.length ? chunk : chunk.subarray(from, to)
      this.pieces.push({ bytes, packets: scan.packets, isConnect: scan.hasConnect, isLast: scan.hasDisconnect })
      this.held += bytes.length + chunkCost
      from = to
    }
  }

  /** The bytes that the broker may have now, or null; `isRead` tells that it has read all that it got so far. */
  next (isRead: boolean): Buffer | null {
    const piece = this.pieces[0]
    if (piece === undefined || this.isGated) return null
    if (piece.isLast && !this.isLeaving && !(isRead && this.isHandled)) return null
    this.isLeaving = piece.isLast
    this.pieces.shift()
    this.held -= piece.bytes.length + chunkCost
    this.unhandled += piece.packets
    if (piece.isConnect) {
      this.isGated = true
      // Aedes reports CONNECT twice: by `client.resume()` behind the CONNACK, and when it is done with it.
      this.unhandled++
    }
    return piece.bytes
  }
}
