import type { Duplex } from 'node:stream'
import type { Clog } from '../routing/receiver.ts'
import { maxStall } from '../wire/limits.ts'
import type { Parser } from '../wire/parser.ts'

/**
 * Holds a client's input back while something it sent is not done, so that the order of the connection is kept and
 * memory stays bounded. Several may hold at a time.
 */
export class Gate {
  private readonly socket: Duplex
  private readonly parser: Parser
  private readonly finished: () => void
  /** How often it has been read again after a hold. */
  releases = 0
  private holds = 0
  private ended = false
  private closed = false
  private stalled = false

  /** @param finished called once the client has ended its side and all that it sent is done */
  constructor (socket: Duplex, parser: Parser, finished: () => void) {
    this.socket = socket
    this.parser = parser
    this.finished = finished
    socket.on('end', () => { this.end() })
  }

  /** Whether the client has ended its side. */
  get hasEnded (): boolean {
    return this.ended
  }

  /** Whether something that the client sent is not done. */
  get isHeld (): boolean {
    return this.holds > 0
  }

  /** Parses nothing more until as many `release` follow. */
  hold (): void {
    if (this.holds++ > 0) return
    this.parser.pause()
    this.socket.pause()
  }

  release (): void {
    if (--this.holds > 0 || this.closed) return
    this.releases++
    this.parser.resume()
    // What the parser went on with may hold again.
    if (this.holds > 0) return
    if (this.ended) this.finished()
    else this.socket.resume()
  }

  /** Runs something that may answer later, and parses nothing in between. */
  await<T> (start: (done: (result: T) => void) => void, then: (result: T) => void): void {
    let answered = false
    let holding = false
    start((result) => {
      answered = true
      if (!this.closed) then(result)
      if (holding) this.release()
    })
    if (answered) return
    holding = true
    this.hold()
  }

  /** Holds for a moment, as nats-server stalls whoever publishes to a reader that lags (server/client.go stalledWait). */
  stall (clog: Clog): void {
    if (this.stalled) return
    this.stalled = true
    this.hold()
    const done = (): void => {
      if (!this.stalled) return
      clearTimeout(timer)
      this.stalled = false
      this.release()
    }
    const timer = setTimeout(done, clog.patience ?? maxStall)
    clog.whenRelieved(done)
  }

  close (): void {
    this.closed = true
  }

  private end (): void {
    this.ended = true
    if (this.holds === 0 && !this.closed) this.finished()
  }
}
