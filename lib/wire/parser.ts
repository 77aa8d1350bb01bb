import { NatsError } from '../errors.ts'
import { isBlank, parsePublish, parseSize, splitArguments, tokenEnd } from './arguments.ts'
import { Incoming, lineRemainder, remainder } from './incoming.ts'
import { Message } from './message.ts'
import { detach } from './text.ts'

/**
 * Takes what a client sent, one method a verb. All text is latin1 and has memory of its own, but for what a
 * {@link Message} holds.
 */
export interface FrameSink {
  connect (json: string): void
  /** The control line of a PUB or HPUB is read, its payload is not; only called while the parser is `pedantic`. */
  publishing (subject: string): void
  publish (message: Message): void
  /** `queue` is null for a plain subscription. */
  subscribe (subject: string, queue: string | null, sid: string): void
  /** `max` is -1 when it is absent or no number. */
  unsubscribe (sid: string, max: number): void
  ping (): void
  pong (): void
  /** What came is no protocol, or breaks a limit. Nothing is parsed after it. */
  fail (error: NatsError): void
}

// What a step returns where it is not the place of the next one.
const incomplete = -1
const failed = -2

const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const lowerCase = 0x20

// Verbs whose line holds nothing more of interest: all up to LF is thrown away unread, however long it is.
type Bare = 'none' | 'ping' | 'pong' | 'ok'

/**
 * Bytes of a client to frames, as nats-server reads them (server/parser.go `client.parse`), cut anywhere. It is in one
 * of three states: in front of a control line, inside the rest of a bare verb's line, or inside the payload of
 * `pending`. Between two frames its owner may `pause` it.
 */
export class Parser {
  maxControlLine: number
  maxPayload: number
  /** Whether HPUB is allowed: both server and client support headers. */
  headers: boolean
  pedantic: boolean
  private readonly sink: FrameSink
  private rest: string
  private argument: string
  private pending: Incoming | null
  private bare: Bare
  private paused: boolean
  private running: boolean
  private stopped: boolean

  constructor (sink: FrameSink, maxControlLine: number, maxPayload: number) {
    this.sink = sink
    this.maxControlLine = maxControlLine
    this.maxPayload = maxPayload
    this.headers = false
    this.pedantic = true
    this.rest = ''
    this.argument = ''
    this.pending = null
    this.bare = 'none'
    this.paused = false
    this.running = false
    this.stopped = false
  }

  push (chunk: Buffer): void {
    const text = chunk.toString('latin1')
    const all = this.rest === '' ? text : this.rest + text
    if (this.paused) this.rest = all
    else this.run(all)
  }

  /** Stops after the current frame; what follows is kept for `resume`. */
  pause (): void {
    this.paused = true
  }

  resume (): void {
    this.paused = false
    // Resumed from inside the frame that paused it: the loop is still on the stack and goes on.
    if (!this.running) this.run(this.rest)
  }

  /** Stops for good. */
  stop (): void {
    this.stopped = true
    this.rest = ''
    this.pending = null
  }

  // hot: once per chunk, its loop once per message
  private run (text: string): void {
    this.rest = ''
    this.running = true
    let at = 0
    while (at < text.length && !this.paused && !this.stopped) {
      const next = this.step(text, at)
      if (next < 0) break
      at = next
    }
    this.running = false
    this.argument = ''
    if (at >= text.length || this.stopped) return
    this.rest = this.pending === null ? lineRemainder(text, at) : remainder(text, at)
  }

  private step (text: string, at: number): number {
    if (this.pending !== null) return this.payload(this.pending, text, at)
    if (this.bare !== 'none') return this.skip(text, at)
    switch (text.charCodeAt(at) | lowerCase) {
      case 0x70: // p
        switch (text.charCodeAt(at + 1) | lowerCase) {
          case 0x75: return this.publish(text, this.verb(text, at, 'pub', true), false) // u
          case 0x69: return this.bareVerb(text, this.verb(text, at, 'ping', false), 'ping') // i
          case 0x6f: return this.bareVerb(text, this.verb(text, at, 'pong', false), 'pong') // o
          default: return at + 1 < text.length ? this.unknown() : incomplete
        }
      case 0x68: return this.publish(text, this.verb(text, at, 'hpub', true), true) // h
      case 0x73: return this.subscribe(this.line(text, this.verb(text, at, 'sub', true))) // s
      case 0x75: return this.unsubscribe(this.line(text, this.verb(text, at, 'unsub', true))) // u
      case 0x63: return this.connect(this.line(text, this.verb(text, at, 'connect', false))) // c
      case 0x69: return this.info(this.line(text, this.verb(text, at, 'info', false))) // i
      case 0x2b: return this.bareVerb(text, this.verb(text, at, '+ok', false), 'ok') // +
      case 0x2d: return this.peerError(this.line(text, this.verb(text, at, '-err', true))) // -
      default: return this.unknown()
    }
  }

  /** Compares the letters as far as they are there, and sees that a blank follows where one must. */
  private verb (text: string, at: number, name: string, blank: boolean): number {
    const known = Math.min(name.length, text.length - at)
    for (let i = 0; i < known; i++) {
      const code = text.charCodeAt(at + i)
      if ((code >= 0x41 && code <= 0x5a ? code | lowerCase : code) !== name.charCodeAt(i)) return this.unknown()
    }
    const after = at + name.length
    if (known < name.length || (blank && after === text.length)) return incomplete
    return blank && !isBlank(text.charCodeAt(after)) ? this.unknown() : after
  }

  /**
   * Reads the argument of a control line: it begins at the first character that is no blank, whatever that is, and
   * ends before LF, one character sooner if a CR is anywhere behind its first (`c.as` and `c.drop` in parser.go).
   */
  private line (text: string, at: number): number {
    if (at < 0) return at
    let start = at
    while (start < text.length && isBlank(text.charCodeAt(start))) start++
    const lf = text.indexOf('\n', start + 1)
    if (lf === -1) return text.length - start > this.maxControlLine ? this.tooLong() : incomplete
    let argument = text.slice(start, lf)
    if (argument.includes('\r', 1)) argument = argument.slice(0, -1)
    if (argument.length > this.maxControlLine) return this.tooLong()
    this.argument = argument
    return lf + 1
  }

  // hot: once per message
  private publish (text: string, at: number, headers: boolean): number {
    if (at < 0) return at
    // The line that every client library writes has single spaces and CRLF; any other goes the long way.
    const subjectAt = at + 1
    const subjectEnd = tokenEnd(text, subjectAt)
    if (headers || this.pedantic || subjectEnd === subjectAt || text.charCodeAt(subjectEnd) !== SPACE) {
      return this.publishLine(text, at, headers)
    }
    const head = subjectEnd + 1
    let sizeAt = head
    let end = tokenEnd(text, sizeAt)
    let reply = ''
    if (text.charCodeAt(end) === SPACE && end > sizeAt) {
      reply = text.slice(sizeAt, end)
      sizeAt = end + 1
      end = tokenEnd(text, sizeAt)
    }
    const size = text.charCodeAt(end) === CR && text.charCodeAt(end + 1) === LF ? parseSize(text, sizeAt, end) : -1
    if (size < 0 || size > this.maxPayload || end - subjectAt > this.maxControlLine) {
      return this.publishLine(text, at, headers)
    }
    const subject = text.slice(subjectAt, subjectEnd)
    const body = end + 2
    const after = body + size + 2
    if (after > text.length) {
      return this.awaitPayload(text, body, new Incoming({ subject, reply, headerSize: 0, size, head: text.slice(head, body) }))
    }
    if (text.charCodeAt(after - 2) !== CR || text.charCodeAt(after - 1) !== LF) return this.unknown()
    this.sink.publish(new Message(subject, reply, 0, size, text.slice(head, after)))
    return after
  }

  private publishLine (text: string, at: number, headers: boolean): number {
    const body = this.line(text, at)
    if (body < 0) return body
    if (headers && !this.headers) return this.malformed('HPUB of a connection without headers')
    const args = parsePublish(this.argument, headers)
    if (args === null) return this.malformed(this.argument)
    if (args.size > this.maxPayload) return this.fail(new NatsError('NATS_ERR_MAX_PAYLOAD', String(args.size)))
    if (this.pedantic) this.sink.publishing(args.subject)
    return this.awaitPayload(text, body, new Incoming(args))
  }

  private awaitPayload (text: string, body: number, pending: Incoming): number {
    this.pending = pending
    if (body < text.length) return this.payload(pending, text, body)
    pending.keep()
    return body
  }

  private payload (pending: Incoming, text: string, at: number): number {
    const { missing } = pending
    const end = at + missing
    // nats-server looks at the byte behind the payload as soon as it is there.
    if (missing > 1 && end - 2 < text.length && text.charCodeAt(end - 2) !== CR) return this.unknown()
    if (end > text.length) {
      pending.add(remainder(text, at))
      return text.length
    }
    if (text.charCodeAt(end - 1) !== LF) return this.unknown()
    this.pending = null
    this.sink.publish(pending.complete(text.slice(at, end)))
    return end
  }

  private bareVerb (text: string, at: number, bare: Bare): number {
    if (at < 0) return at
    this.bare = bare
    return at < text.length ? this.skip(text, at) : at
  }

  private skip (text: string, at: number): number {
    const lf = text.indexOf('\n', at)
    if (lf === -1) return text.length
    const bare = this.bare
    this.bare = 'none'
    if (bare === 'ping') this.sink.ping()
    else if (bare === 'pong') this.sink.pong()
    return lf + 1
  }

  private subscribe (next: number): number {
    if (next < 0) return next
    const args = splitArguments(this.argument).map(detach)
    const [subject, queue, sid] = args.length === 2 ? [args[0], null, args[1]] : args
    if (subject === undefined || queue === undefined || sid === undefined || args.length > 3) return this.malformed(this.argument)
    this.sink.subscribe(subject, queue, sid)
    return next
  }

  private unsubscribe (next: number): number {
    if (next < 0) return next
    const [sid, max = '', ...more] = splitArguments(this.argument)
    if (sid === undefined || more.length > 0) return this.malformed(this.argument)
    this.sink.unsubscribe(detach(sid), parseSize(max, 0, max.length))
    return next
  }

  private connect (next: number): number {
    if (next >= 0) this.sink.connect(detach(this.argument))
    return next
  }

  private info (next: number): number {
    if (next < 0) return next
    try {
      if (typeof JSON.parse(this.argument) === 'object') return next
    } catch {}
    return this.malformed('INFO')
  }

  private peerError (next: number): number {
    return next < 0 ? next : this.fail(new NatsError('NATS_ERR_PEER', detach(this.argument)))
  }

  private unknown (): number {
    return this.fail(new NatsError('NATS_ERR_UNKNOWN_OPERATION'))
  }

  private malformed (what: string): number {
    return this.fail(new NatsError('NATS_ERR_MALFORMED', JSON.stringify(what)))
  }

  private tooLong (): number {
    return this.fail(new NatsError('NATS_ERR_CONTROL_LINE', String(this.maxControlLine)))
  }

  private fail (error: NatsError): number {
    this.stop()
    this.sink.fail(error)
    return failed
  }
}
