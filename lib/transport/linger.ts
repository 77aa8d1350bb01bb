import { Duplex } from 'node:stream'
import { showDetails, type SocketDetails } from './linger-details.ts'
import { Intake } from './linger-intake.ts'
import { resolveLinger, type LingerLimits, type LingerOptions } from './linger-options.ts'
import { isChunk, Outlet, type Written } from './linger-write.ts'

export type { LingerOptions }

/** What is asked of an Aedes client: it calls `_nextBatch` once for each packet that it has handled. */
interface AedesClient {
  _nextBatch?: ((error?: Error | null) => void) | undefined
}

const ofKernel = new Set<string | undefined>(['read', 'write'])

export interface LingeringSocket extends SocketDetails {}

/** The stream that {@link lingering} makes. */
export class LingeringSocket extends Duplex {
  /** The stream below. */
  readonly socket: Duplex
  /** Aedes puts its client here. */
  client?: AedesClient
  private readonly limits: LingerLimits
  private readonly intake: Intake
  private readonly outlet: Outlet
  private readonly receive: (chunk: Buffer) => void
  private readonly destroySocket: (error?: Error) => void
  private failure: Error | undefined
  // The client has ended its side.
  private hasEnded: boolean
  // Nobody reads what is written to the socket.
  private isGone: boolean
  // A write failed: what the kernel has received before is still to be read.
  private isDraining: boolean
  // Nothing more comes from the socket.
  private isOver: boolean
  private isConcluded: boolean
  private isTapped: boolean
  private isFeeding: boolean
  private isBlocked: boolean
  private parting: NodeJS.Timeout | undefined

  static {
    showDetails(this.prototype)
    Object.defineProperties(this.prototype, {
      writableLength: { get (this: LingeringSocket) { return this.outlet.length + this.socket.writableLength } },
      writableNeedDrain: { get (this: LingeringSocket) { return this.outlet.owesDrain } }
    })
  }

  constructor (socket: Duplex, options: LingerOptions) {
    super({
      allowHalfOpen: socket.allowHalfOpen,
      readableHighWaterMark: socket.readableHighWaterMark,
      writableHighWaterMark: socket.writableHighWaterMark
    })
    this.socket = socket
    this.limits = resolveLinger(options)
    this.intake = new Intake()
    this.outlet = new Outlet(socket, this.limits, () => { if (!this.destroyed) this.emit('drain') })
    this.receive = (chunk) => { this.arrive(chunk) }
    this.destroySocket = socket.destroy.bind(socket)
    this.failure = undefined
    this.hasEnded = false
    this.isGone = false
    this.isDraining = false
    this.isOver = false
    this.isConcluded = false
    this.isTapped = false
    this.isFeeding = false
    this.isBlocked = false
    this.parting = undefined
    this.follow()
  }

  // hot: once per chunk
  override read (size?: number): unknown {
    if (size === 0) return super.read(size)
    if (!this.isTapped) this.tap()
    if (this.intake.isGated && this.readableLength === 0) {
      this.intake.isGated = false
      this.feedSoon()
    }
    const bytes: unknown = super.read(size)
    if (bytes !== null) this.taken()
    return bytes
  }

  override _read (): void {
    if (!this.intake.isEmpty) this.feedSoon()
  }

  // hot: several times per packet
  override write (chunk: unknown, encoding?: BufferEncoding | Written, written?: Written): boolean {
    if (!this.writable || !isChunk(chunk)) return super.write(chunk, encoding as BufferEncoding, written)
    if (typeof encoding === 'function') return this.outlet.write(chunk, encoding)
    const isForeign = typeof chunk === 'string' && encoding !== undefined && encoding !== 'utf8'
    return this.outlet.write(isForeign ? Buffer.from(chunk, encoding) : chunk, written)
  }

  /** Does nothing: small writes are joined all the time. */
  override cork (): void {}

  /** Does nothing: small writes are joined all the time. */
  override uncork (): void {}

  override _write (chunk: Buffer, _encoding: BufferEncoding, done: Written): void {
    this.outlet.write(chunk, done)
  }

  override _final (done: Written): void {
    this.outlet.leave()
    this.socket.end(() => { done() })
  }

  override _destroy (error: Error | null, done: Written): void {
    clearTimeout(this.parting)
    this.outlet.leave()
    this.outlet.close()
    this.socket.off('data', this.receive)
    this.destroySocket(error ?? undefined)
    done(error)
  }

  private follow (): void {
    const { socket } = this
    // A socket that may not be half open stops to write once the client has ended its side.
    socket.allowHalfOpen = true
    // A socket destroys itself when it fails, and throws away what the kernel has received before.
    socket.destroy = (error?: Error) => {
      if (this.destroyed || !ofKernel.has((error as NodeJS.ErrnoException | undefined)?.syscall)) this.destroySocket(error)
      else this.lose(error as NodeJS.ErrnoException)
      return socket
    }
    socket.on('data', this.receive)
    socket.on('end', () => {
      this.hasEnded = true
      this.finish()
    })
    socket.on('error', (error) => { this.abandon(error) })
    socket.on('close', () => { this.abandon() })
    socket.on('timeout', () => { this.emit('timeout') })
    socket.resume()
    // One that is no more emits none of these.
    if (socket.destroyed || socket.readableEnded) process.nextTick(() => { this.abandon() })
  }

  // hot: once per chunk
  private arrive (chunk: Buffer): void {
    const { intake } = this
    intake.add(chunk)
    this.feed()
    if (intake.isComplete) this.part()
    else if (intake.isGated && !intake.isEmpty) this.outlet.hold()
    else this.outlet.holdOn()
    if (intake.held + this.readableLength >= this.limits.maxHeld) {
      this.isBlocked = true
      this.socket.pause()
    }
  }

  /** Gives the broker what it may have. */
  private feed (): void {
    while (this.readableLength < this.readableHighWaterMark) {
      const bytes = this.intake.next(this.readableLength === 0)
      if (bytes === null) break
      this.push(bytes)
    }
    if (this.isBlocked && this.intake.held + this.readableLength < this.limits.maxHeld / 2) {
      this.isBlocked = false
      if (this.isDraining) this.socket._read(0)
      else this.socket.resume()
    }
    if (this.isOver && this.intake.isEmpty && this.readableLength === 0 && this.intake.isHandled) this.conclude()
  }

  // Never from inside a read of the broker: its parser is at work then, and Aedes would start it a second time.
  private feedSoon (): void {
    if (this.isFeeding) return
    this.isFeeding = true
    process.nextTick(() => {
      this.isFeeding = false
      this.feed()
    })
  }

  /** The broker has read all that it could. */
  private taken (): void {
    this.parting?.refresh()
    if (this.isOver || this.isBlocked || !this.intake.isEmpty) this.feedSoon()
  }

  /** Makes Aedes tell of each packet that it has handled. */
  private tap (): void {
    this.isTapped = true
    const { client, intake } = this
    const next = client?._nextBatch
    if (client === undefined || next === undefined) return
    intake.isCounting = true
    client._nextBatch = (error) => {
      if (intake.unhandled > 0) intake.unhandled--
      next(error)
      this.parting?.refresh()
      // Who is not listened to is not silent.
      if (this.isBlocked) this.outlet.holdOn()
      if (intake.unhandled === 0 && (this.isOver || !intake.isEmpty)) this.feedSoon()
    }
  }

  /** The client has said its last. */
  private part (): void {
    if (this.parting !== undefined) return
    this.outlet.leave()
    this.parting = setTimeout(() => { this.giveUp() }, this.limits.lingerTimeout)
  }

  /** Nothing more comes from the socket. */
  private finish (): void {
    if (this.destroyed) return
    this.isOver = true
    this.part()
    this.feed()
  }

  /** The socket is gone. */
  private abandon (error?: Error): void {
    if (!this.hasEnded) this.failure ??= error
    this.isGone = true
    this.outlet.close()
    this.finish()
  }

  /** The kernel has cut the connection: a read tells so behind the last byte that it received, a write at once. */
  private lose (error: NodeJS.ErrnoException): void {
    const { socket } = this
    if (!this.hasEnded) this.failure ??= error
    this.isGone = true
    this.outlet.close()
    this.part()
    socket.off('data', this.receive)
    const rest = socket.read() as Buffer | null
    if (rest !== null) this.arrive(rest)
    if (this.hasEnded || error.syscall === 'read') {
      this.finish()
      return
    }
    // A stream with an error hands out nothing, but it still pushes.
    this.isDraining = true
    socket.push = (chunk: Buffer | null) => {
      if (chunk === null) this.finish()
      else this.arrive(chunk)
      return !this.isBlocked
    }
    if (!this.isBlocked) socket._read(0)
  }

  /** The broker has taken everything. */
  private conclude (): void {
    if (this.isGone) {
      this.destroy(this.failure)
    } else if (!this.isConcluded) {
      this.isConcluded = true
      this.push(null)
      super.read(0)
    }
  }

  /** The broker has not gone on for too long. A DISCONNECT is given to it all the same, since it decides about the will. */
  private giveUp (): void {
    const { intake } = this
    const attempts = intake.unhandled
    intake.unhandled = 0
    this.feed()
    // Aedes takes each 'readable' for one packet handled, and reads when none is left.
    for (let i = 0; i <= attempts && this.readableLength > 0; i++) this.emit('readable')
    this.destroy(this.failure)
  }
}

/**
 * Wraps the connection of an MQTT client, so that Aedes gets all that the client has sent, even if it has long closed
 * the connection: `broker.handle(lingering(socket))`.
 *
 * Aedes closes a client as soon as its socket ends or fails, with whatever it has not handled yet, and refuses more
 * than `queueLimit` (42) packets behind a CONNECT. A client that writes CONNECT, PUBLISH and DISCONNECT at once and
 * closes without reading loses its messages. The stream made here gives Aedes the CONNECT alone, the rest once that is
 * answered, and `end`, `error` and `close` once all packets are handled. In every other respect it behaves as the
 * socket does, which is `stream.socket`; addresses, certificates and settings are found on the stream too.
 *
 * From here on the socket belongs to the stream: destroy the stream, not the socket. What the client's kernel has not
 * sent before it reset the connection is lost.
 *
 * @param socket a connection that nobody has read from: TCP, TLS or any other stream of bytes
 * @throws {NatsError} NATS_ERR_OPTION, if an option is no whole number in its range
 */
export function lingering (socket: Duplex, options: LingerOptions = {}): LingeringSocket {
  return new LingeringSocket(socket, options)
}
