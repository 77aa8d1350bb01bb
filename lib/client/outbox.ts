import type { Duplex } from 'node:stream'
import { stallShare } from '../wire/limits.ts'
import type { Flusher } from './flusher.ts'

/** Told when a connection does not read what it is sent. */
export interface OutboxOwner {
  /** More than the limit waits. */
  overflow (): void
  /** A write took longer than the deadline. */
  late (): void
}

// Text waiting for a socket that is full becomes bytes in blocks of this size, so that it costs its own length.
const blockSize = 65_536
// A turn of the event loop may bring more than this for one connection: it is written at once then.
const earlyFlush = 1_048_576

/** What waits to be written to one connection. */
export class Outbox {
  /** Sees what is written; null for nobody. */
  trace: ((text: string) => void) | null = null
  maxPending: number
  writeDeadline: number
  private readonly socket: Duplex
  private readonly flusher: Flusher
  private readonly owner: OutboxOwner
  private text = ''
  private dirty = false
  /** Whole blocks and the one being filled, while the socket is full. */
  private blocks: Buffer[] = []
  private block: Buffer | null = null
  private used = 0
  /** Bytes in `text` and the blocks. */
  private held = 0
  /** Bytes that the socket had not passed on when it was last written to. */
  private inSocket = 0
  private full = false
  private closed = false
  private deadline: NodeJS.Timeout | null = null
  private relief: (() => void)[] = []

  constructor (socket: Duplex, flusher: Flusher, owner: OutboxOwner, maxPending: number, writeDeadline: number) {
    this.socket = socket
    this.flusher = flusher
    this.owner = owner
    this.maxPending = maxPending
    this.writeDeadline = writeDeadline
    socket.on('drain', () => { this.drained() })
  }

  /** Bytes on their way. */
  get pending (): number {
    return this.held + this.inSocket
  }

  /** Whether so much waits that publishers should slow down. */
  get isCongested (): boolean {
    return this.held + this.inSocket > this.maxPending * stallShare
  }

  // hot: once per delivery
  write (text: string): void {
    if (this.closed) return
    if (this.trace !== null) this.trace(text)
    this.text += text
    this.held += text.length
    if (!this.dirty) {
      this.dirty = true
      this.flusher.add(this)
    }
    if (this.held > earlyFlush) this.overfull()
  }

  private overfull (): void {
    if (!this.full) this.flush()
    if (this.held + this.inSocket > this.maxPending && !this.closed) this.owner.overflow()
  }

  flush (): void {
    this.dirty = false
    const { text } = this
    if (text === '' || this.closed) return
    this.text = ''
    if (this.full) {
      this.store(text)
    } else {
      this.held -= text.length
      this.afterWrite(this.socket.write(text, 'latin1'))
    }
    if (this.held + this.inSocket > this.maxPending) this.owner.overflow()
  }

  /** Calls back once the outbox is no longer congested, or closed. */
  whenRelieved (callback: () => void): void {
    if (this.isCongested && !this.closed) this.relief.push(callback)
    else callback()
  }

  /** Writes the rest and a last text, then ends the socket. */
  end (text: string): void {
    if (this.closed) return
    if (this.trace !== null && text !== '') this.trace(text)
    this.flushBlocks()
    this.stop()
    if (!this.socket.destroyed) this.socket.end(this.text + text, 'latin1')
    this.text = ''
  }

  /** Forgets what waits. */
  discard (): void {
    this.stop()
    this.text = ''
    this.blocks = []
    this.block = null
    this.held = 0
  }

  private stop (): void {
    this.closed = true
    if (this.deadline !== null) clearTimeout(this.deadline)
    this.deadline = null
    this.relieve()
  }

  private afterWrite (ready: boolean): void {
    this.inSocket = this.socket.writableLength
    // `false` alone says little: node gives it for any large write, also one that the kernel took whole.
    this.full = !ready && this.inSocket > 0
    if (this.full && this.deadline === null) {
      this.deadline = setTimeout(() => { this.owner.late() }, this.writeDeadline)
    }
  }

  private drained (): void {
    if (this.closed) return
    this.full = false
    this.inSocket = 0
    if (this.deadline !== null) clearTimeout(this.deadline)
    this.deadline = null
    this.flushBlocks()
    if (!this.isCongested) this.relieve()
  }

  private relieve (): void {
    if (this.relief.length === 0) return
    const { relief } = this
    this.relief = []
    for (const callback of relief) callback()
  }

  private store (text: string): void {
    let at = 0
    while (at < text.length) {
      if (this.block === null) {
        this.block = Buffer.allocUnsafeSlow(Math.max(blockSize, text.length - at))
        this.used = 0
      }
      const room = this.block.length - this.used
      const part = text.length - at > room ? text.slice(at, at + room) : text.slice(at)
      this.used += this.block.write(part, this.used, 'latin1')
      at += part.length
      if (this.used === this.block.length) {
        this.blocks.push(this.block)
        this.block = null
      }
    }
  }

  private flushBlocks (): void {
    if (this.block !== null && this.used > 0) this.blocks.push(this.block.subarray(0, this.used))
    this.block = null
    if (this.blocks.length === 0) return
    const { blocks } = this
    this.blocks = []
    let ready = true
    this.socket.cork()
    for (const block of blocks) {
      this.held -= block.length
      ready = this.socket.write(block)
    }
    this.socket.uncork()
    if (!this.closed) this.afterWrite(ready)
  }
}
