import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { type ServerOptions, WebSocketServer } from 'ws'
import type { WebsocketSettings } from './websocket-options.ts'
import { detailsOf, refusalOf } from './websocket-request.ts'
import { compressThreshold, WebsocketStream } from './websocket-stream.ts'

/** The limits of a gateway that bound what a WebSocket message holds, in bytes. */
export interface WebsocketLimits {
  readonly maxPayload: number
  readonly maxControlLine: number
}

/** Takes a WebSocket connection. */
export type AcceptWebsocket = (stream: WebsocketStream, request: IncomingMessage) => void

// Clients flush what they have from 32 KiB on, and then comes one operation of any size (nats.js `pendingLimit`,
// nats.go `defaultBufSize`).
export const joinedOperations = 65_536

// A Go client flushes what it published while it was not connected (8 MiB) as one message; nats-server takes it, since
// it parses a message before its end, and so much of a compressed one (server/websocket.go wsMaxMessageSize).
export const payloads = 8
export const longest = 67_108_864

// Each is an object until the message is whole. As ws has it.
export const maxFragments = 16_384

// How long a client may take to answer a close frame, in milliseconds.
const patience = 1000

const compression = {
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  threshold: compressThreshold + 1,
  // flate.BestSpeed, as nats-server compresses.
  zlibDeflateOptions: { level: 1 }
}

function createServer (maxPayload: number, perMessageDeflate: false | typeof compression): WebSocketServer {
  const options: ServerOptions & { closeTimeout: number, maxFragments: number } = {
    noServer: true,
    clientTracking: false,
    maxPayload,
    maxFragments,
    perMessageDeflate,
    // The text of NATS is bytes, and an operation may be cut inside a character.
    skipUTF8Validation: true,
    // NATS has no subprotocol: a browser that asked for one has to find out.
    handleProtocols: () => false,
    closeTimeout: patience
  }
  const server = new WebSocketServer(options)
  server.on('wsClientError', (_error, socket) => { refuse(socket, 400) })
  return server
}

function answer (status: number): { readonly headers: Readonly<Record<string, string>>, readonly body: string } {
  const body = `${STATUS_CODES[status]}\n`
  return {
    headers: {
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': String(body.length),
      'Sec-WebSocket-Version': '13',
      'X-Content-Type-Options': 'nosniff',
      Connection: 'close'
    },
    body
  }
}

function refuse (socket: Duplex, status: number): void {
  const { headers, body } = answer(status)
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')
  socket.once('finish', () => { socket.destroy() })
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines}\r\n${body}`)
}

/** Answers the HTTP requests of WebSocket clients as nats-server does (server/websocket.go wsUpgrade). */
export class WebsocketHandshake {
  private readonly settings: WebsocketSettings
  private readonly accept: AcceptWebsocket
  private plain: WebSocketServer
  private compressing: WebSocketServer | null

  constructor (settings: WebsocketSettings, limits: WebsocketLimits, accept: AcceptWebsocket) {
    this.settings = settings
    this.accept = accept
    this.plain = createServer(0, false)
    this.compressing = null
    this.reconfigure(limits)
  }

  /** Puts changed limits into effect, for connections that begin from now on. */
  reconfigure ({ maxPayload, maxControlLine }: WebsocketLimits): void {
    const operation = maxPayload + maxControlLine + joinedOperations
    this.plain = createServer(Math.max(operation, Math.min(payloads * maxPayload, longest)), false)
    // What is inflated costs the sender a thousandth.
    this.compressing = this.settings.compression ? createServer(operation, compression) : null
  }

  /** Answers a request that asks for no WebSocket, or not in the right way. */
  reject (request: IncomingMessage, response: ServerResponse): void {
    const status = refusalOf(request, this.settings) ?? 400
    const { headers, body } = answer(status)
    response.writeHead(status, headers).end(body)
  }

  /** Answers a request of the server event 'upgrade'. */
  upgrade (request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const status = refusalOf(request, this.settings)
    if (status !== null) {
      socket.on('error', () => { socket.destroy() })
      refuse(socket, status)
      return
    }
    const offers = request.headers['sec-websocket-extensions'] ?? ''
    const server = offers.includes('permessage-deflate') ? this.compressing ?? this.plain : this.plain
    server.handleUpgrade(request, socket, head, (webSocket) => {
      this.accept(new WebsocketStream(webSocket, socket, detailsOf(request, this.settings)), request)
    })
  }
}
