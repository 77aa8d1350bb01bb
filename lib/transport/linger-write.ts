import type { Duplex } from 'node:stream'
import type { LingerLimits } from './linger-options.ts'

export type Chunk = string | Uint8Array
export type Written = (error?: Error | null) => void

/**
 * open: writes go to the socket. held: they wait for another mode. leaving: they go to the socket until it is full, since
 * the peer has said its last. closed: they are thrown away, since nobody is there to read them.
 */
type Mode = 'open' | 'held' | 'leaving' | 'closed'

export function isChunk (chunk: unknown): chunk is Chunk {
  return typeof chunk === 'string' || chunk instanceof Uint8Array
}

// From this length on copying costs more than a write of its own.
const longest = 8192
// Up to this length a loop copies faster than `set`.
const tiny = 16

// In times of `settleTime`.
const longestHold = 20

let inTick: Outlet[] = []
let inTurn: Outlet[] = []
let turn = 0
let isTurnWatched = false

function endTick (): void {
  const outlets = inTick
  inTick = []
  for (const outlet of outlets) outlet.flush()
}

function endTurn (): void {
  const outlets = inTurn
  inTurn = []
  isTurnWatched = false
  turn++
  for (const outlet of outlets) outlet.flush()
}

function join (parts: readonly Chunk[], length: number): Buffer {
  const joined = Buffer.allocUnsafe(length)
  let at = 0
  for (const part of parts) {
    if (typeof part === 'string') {
      at += joined.write(part, at)
      continue
    }
    if (part.length > tiny) joined.set(part, at)
    else for (let i = 0; i < part.length; i++) joined[at + i] = part[i] as number
    at += part.length
  }
  return joined
}

/**
 * Joins small writes to a socket into few large ones: Aedes writes a packet in four to ten pieces and each packet in a
 * tick of its own, and a call of the kernel costs more than all the rest of it. What is written first in a turn of the
 * event loop leaves at the end of its tick; what follows within that turn leaves together, at the end of the turn.
 */
export class Outlet {
  /** Bytes that the socket has not got yet. */
  length: number
  /** Whether a write returned false, so that its writer waits for 'drain'. */
  owesDrain: boolean
  private readonly socket: Duplex
  private readonly highWaterMark: number
  private readonly limits: LingerLimits
  private readonly drain: () => void
  private mode: Mode
  private parts: Chunk[]
  private callbacks: Written[]
  private flushedIn: number
  private isDue: boolean
  private isFull: boolean
  private holding: NodeJS.Timeout | undefined
  private heldUntil: number

  /** `drain` is called when a writer that got false may go on. */
  constructor (socket: Duplex, limits: LingerLimits, drain: () => void) {
    this.length = 0
    this.owesDrain = false
    this.socket = socket
    this.highWaterMark = socket.writableHighWaterMark
    this.limits = limits
    this.drain = drain
    this.mode = 'open'
    this.parts = []
    this.callbacks = []
    this.flushedIn = -1
    this.isDue = false
    this.isFull = false
    this.holding = undefined
    this.heldUntil = 0
    socket.on('drain', () => {
      this.isFull = false
      this.settle()
    })
  }

  // hot: several times per packet
  /** Returns whether to go on writing, as a stream's `write` does. */
  write (chunk: Chunk, written?: Written): boolean {
    // For good, since what came behind a gap would be no packet.
    if (this.mode === 'leaving' && this.isBlocked()) this.close()
    if (this.mode === 'closed') {
      if (written !== undefined) process.nextTick(written)
      return true
    }
    if (written !== undefined) this.callbacks.push(written)
    const length = typeof chunk === 'string' ? Buffer.byteLength(chunk) : chunk.length
    if (length > longest && this.mode !== 'held') {
      this.writeLong(chunk)
      return this.verdict()
    }
    this.parts.push(chunk)
    this.length += length
    if (this.length + this.socket.writableLength >= this.highWaterMark) {
      this.flush()
      return this.verdict()
    }
    if (!this.isDue) this.schedule()
    return true
  }

  flush (): void {
    this.isDue = false
    if (this.parts.length === 0 || this.mode === 'held') return
    const { parts, length } = this
    this.parts = []
    this.length = 0
    this.flushedIn = turn
    if (!isTurnWatched) {
      isTurnWatched = true
      setImmediate(endTurn)
    }
    this.pass(parts.length === 1 ? parts[0] as Chunk : join(parts, length))
  }

  /** The client goes on without waiting for an answer: keeps all answers until it is silent. */
  hold (): void {
    if (this.mode === 'open' && this.limits.settleTime > 0) {
      this.mode = 'held'
      this.heldUntil = performance.now() + longestHold * this.limits.settleTime
      this.holding = setTimeout(() => { this.change('open') }, this.limits.settleTime)
    }
    this.holdOn()
  }

  /** The client has sent more. */
  holdOn (): void {
    if (this.mode === 'held' && performance.now() < this.heldUntil) this.holding?.refresh()
  }

  /** No writer waits from here on. */
  leave (): void {
    if (this.mode !== 'closed') this.change('leaving')
  }

  /** Everything from here on counts as written. */
  close (): void {
    clearTimeout(this.holding)
    this.mode = 'closed'
    this.parts = []
    this.length = 0
    for (const written of this.callbacks.splice(0)) process.nextTick(written)
    this.settle()
  }

  private change (mode: Mode): void {
    clearTimeout(this.holding)
    this.mode = mode
    this.flush()
    this.settle()
  }

  private schedule (): void {
    this.isDue = true
    if (this.flushedIn === turn) {
      inTurn.push(this)
      return
    }
    if (inTick.length === 0) process.nextTick(endTick)
    inTick.push(this)
  }

  /** Writes what is pending and `chunk` behind it in one call of the kernel, without a copy of `chunk`. */
  private writeLong (chunk: Chunk): void {
    this.socket.cork()
    this.flush()
    this.pass(chunk)
    this.socket.uncork()
  }

  private pass (chunk: Chunk): void {
    const { callbacks } = this
    if (callbacks.length === 0) {
      this.isFull = !this.socket.write(chunk)
      return
    }
    this.callbacks = []
    this.isFull = !this.socket.write(chunk, () => {
      for (const written of callbacks) written()
    })
  }

  /** Whether the kernel takes no more: a socket emits its 'drain' late, when the kernel has long emptied it. */
  private isBlocked (): boolean {
    return this.isFull && this.socket.writableLength > 0
  }

  private verdict (): boolean {
    const isOpen = this.mode === 'held' ? this.length < this.limits.maxHeld : this.mode === 'leaving' || !this.isBlocked()
    if (!isOpen) this.owesDrain = true
    return isOpen
  }

  private settle (): void {
    if (!this.owesDrain || (this.mode === 'open' && this.isFull) || this.mode === 'held') return
    this.owesDrain = false
    process.nextTick(this.drain)
  }
}
