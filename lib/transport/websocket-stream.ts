import { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { showDetails, type SocketDetails } from './linger-details.ts'
import type { WebsocketDetails } from './websocket-request.ts'

type Written = (error?: Error | null) => void

interface Queued {
  readonly chunk: Buffer
}

// What browsers get in one frame at most (server/websocket.go wsFrameSizeForBrowsers), and how much input of a
// compressed frame stays below that if it cannot be compressed: stored blocks and the flush add up to 10 bytes.
const browserFrame = 4096
const browserInput = 4080

// server/websocket.go wsCompressThreshold: only what is longer is compressed.
export const compressThreshold = 64

// RFC 6455, 5.5: a control frame holds 125 bytes, and two of them are the code.
const longestText = 123

export interface WebsocketStream extends SocketDetails {}

/**
 * The bytes of a NATS connection in WebSocket messages: whatever a client cuts or joins them to, and one binary message
 * for each write. Has the details of the socket below, such as its addresses.
 */
export class WebsocketStream extends Duplex {
  /** The stream below: a Socket or a TLSSocket. */
  readonly socket: Duplex
  readonly details: WebsocketDetails
  private readonly webSocket: WebSocket
  private readonly isCompressing: boolean
  // Most bytes in a frame.
  private readonly step: number
  private code: number
  private text: string
  private finished: Written | undefined
  // The client broke the rules of WebSocket: it is being told.
  private isBroken: boolean

  static {
    showDetails(this.prototype)
  }

  /** @param socket what `webSocket` runs on */
  constructor (webSocket: WebSocket, socket: Duplex, details: WebsocketDetails) {
    super({ readableHighWaterMark: 65_536, writableHighWaterMark: 65_536 })
    this.webSocket = webSocket
    this.socket = socket
    this.details = details
    this.isCompressing = webSocket.extensions !== ''
    this.step = stepOf(details.browser, this.isCompressing)
    this.code = 1000
    this.text = 'Client Closed'
    this.finished = undefined
    this.isBroken = false
    webSocket.on('message', (data) => {
      // Buffers are what a server gets unless it asks for something else.
      if (!this.push(data as Buffer)) webSocket.pause()
    })
    webSocket.on('error', (error) => {
      this.isBroken = true
      this.destroy(error)
    })
    webSocket.on('close', () => { this.over() })
    // ws ends such a connection without telling why.
    socket.on('error', (error) => { this.destroy(error) })
  }

  /** What `end` tells the client: a status code that RFC 6455 lets be sent, and a text of ASCII, which is cut to 123 bytes. */
  closeWith (code: number, text: string): void {
    this.code = code
    this.text = text.length > longestText ? `${text.slice(0, longestText - 3)}...` : text
  }

  override _read (): void {
    if (this.webSocket.isPaused) this.webSocket.resume()
  }

  override _write (chunk: Buffer, _encoding: string, written: Written): void {
    this.send(chunk, once(written))
  }

  override _writev (queue: Queued[], written: Written): void {
    const last = queue.length - 1
    const done = once(written)
    queue.forEach(({ chunk }, i) => { this.send(chunk, i === last ? done : undefined) })
  }

  override _final (finished: Written): void {
    const { webSocket } = this
    if (webSocket.readyState === webSocket.CLOSED) {
      finished()
      return
    }
    this.finished = finished
    webSocket.close(this.code, this.text)
  }

  override _destroy (error: Error | null, destroyed: Written): void {
    // A client that broke the rules is told so by ws, which then ends the connection.
    if (!this.isBroken) this.webSocket.terminate()
    destroyed(error)
  }

  private over (): void {
    this.finished?.()
    if (!this.destroyed) this.push(null)
  }

  private send (chunk: Buffer, written: (() => void) | undefined): void {
    const { webSocket, socket, step, isCompressing } = this
    // A client that has sent its close frame reads no more.
    if (webSocket.readyState !== webSocket.OPEN || chunk.length === 0) {
      if (written !== undefined) written()
      return
    }
    const compress = isCompressing && chunk.length > compressThreshold
    socket.cork()
    for (let at = 0; at < chunk.length; at += step) {
      const isLast = chunk.length - at <= step
      webSocket.send(isLast && at === 0 ? chunk : chunk.subarray(at, at + step), { binary: true, compress, fin: isLast || !compress }, isLast ? written : undefined)
    }
    socket.uncork()
    // The kernel has it all: nothing to wait for.
    if (written !== undefined && webSocket.bufferedAmount === 0) written()
  }
}

function stepOf (browser: WebsocketDetails['browser'], isCompressing: boolean): number {
  if (!isCompressing) return browser === 'none' ? Infinity : browserFrame
  // Safari does not take compressed messages in fragments (server/websocket.go nocompfrag).
  return browser === 'other' ? browserInput : Infinity
}

// ws tells of a failure by 'close' as well.
function once (written: Written): () => void {
  let isCalled = false
  return () => {
    if (isCalled) return
    isCalled = true
    written()
  }
}
