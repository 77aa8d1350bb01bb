import { createServer, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { NatsError } from '../errors.ts'
import { type Listener, listenTcp } from './tcp.ts'
import { TlsServer } from './tls.ts'
import type { TlsSettings } from './tls-options.ts'
import { WebsocketHandshake, type WebsocketLimits } from './websocket-handshake.ts'
import type { WebsocketSettings } from './websocket-options.ts'
import type { WebsocketStream } from './websocket-stream.ts'

/** Whoever serves the connections. */
export interface WebsocketReception {
  /** Counts a connection that begins; what to tell it if it is one too many. */
  admit (socket: Socket): NatsError | null
  /** @param refused what `admit` said of the connection */
  accept (stream: WebsocketStream, request: IncomingMessage, refused: NatsError | null): void
  /** A connection did not come to be; `reason` is for a log. */
  failed (address: string, reason: string): void
}

/** Something that takes WebSocket connections. */
export interface WebsocketListener extends Listener {
  /** The number of connections that are not accepted yet. */
  readonly pending: number
  /** Puts changed limits into effect, for connections that begin from now on. */
  reconfigure (limits: WebsocketLimits): void
  /**
   * Reads the files of the certificates anew, for connections that begin once the function that it returns is called.
   *
   * @throws {NatsError} NATS_ERR_OPTION when a file cannot be read or used
   */
  prepareTls (settings: TlsSettings): () => void
  /** Closes the connections that are not accepted yet. Call `stop` before. */
  close (): void
}

/**
 * Listens for WebSocket connections on a port of their own; any path will do, as in nats-server.
 *
 * @throws {NatsError} NATS_ERR_LISTEN; NATS_ERR_OPTION when a certificate cannot be used
 */
export async function listenWebsocket (settings: WebsocketSettings, limits: WebsocketLimits, reception: WebsocketReception): Promise<WebsocketListener> {
  const refusals = new WeakMap<Duplex, NatsError>()
  const handshake = new WebsocketHandshake(settings, limits, (stream, request) => { reception.accept(stream, request, refusals.get(stream.socket) ?? null) })
  const tls = settings.tls === null ? null : new TlsServer(settings.tls, 'websocket.tls')
  const waiting = new Map<Duplex, NodeJS.Timeout>()
  const forget = (socket: Duplex): void => {
    clearTimeout(waiting.get(socket))
    waiting.delete(socket)
  }

  const http = createServer((request, response) => { handshake.reject(request, response) })
  http.on('upgrade', (request, socket, head) => {
    handshake.upgrade(request, socket, head)
    // A refused client gets as long as any other to read why.
    if (!socket.writableEnded) forget(socket)
  })

  // It does not listen, since a connection may have TLS to do first: connections are put into it.
  const serve = (socket: Socket, refused: NatsError | null): void => {
    if (refused !== null) refusals.set(socket, refused)
    waiting.set(socket, setTimeout(() => { socket.destroy() }, settings.handshakeTimeout))
    socket.on('close', () => { forget(socket) })
    http.emit('connection', socket)
  }
  const listener = await listenTcp(settings.host, settings.port ?? 0, (socket) => {
    const refused = reception.admit(socket)
    const address = `${socket.remoteAddress}:${socket.remotePort}`
    if (tls === null) {
      serve(socket, refused)
    } else if (refused === null || refused.code === 'NATS_ERR_MAX_CONNECTIONS') {
      tls.secure(socket, { greet: () => '', opened: (stream) => { serve(stream, refused) }, failed: (reason) => { reception.failed(address, reason) } })
    } else {
      // There is no way to tell it that does not cost a handshake, which is what it comes for.
      socket.destroy()
      reception.failed(address, refused.message)
    }
  })
  return {
    ...listener,
    get pending () { return waiting.size + (tls?.size ?? 0) },
    reconfigure: (limits) => { handshake.reconfigure(limits) },
    prepareTls: (settings) => tls?.prepare(settings) ?? (() => {}),
    close: () => {
      tls?.close()
      for (const socket of waiting.keys()) socket.destroy()
    }
  }
}
