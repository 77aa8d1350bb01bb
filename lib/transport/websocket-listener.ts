import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type Listener, listenTcp } from './tcp.ts'
import { TlsServer } from './tls.ts'
import type { TlsSettings } from './tls-options.ts'
import { type AcceptWebsocket, WebsocketHandshake, type WebsocketLimits } from './websocket-handshake.ts'
import type { WebsocketSettings } from './websocket-options.ts'

/** Something that takes WebSocket connections. */
export interface WebsocketListener extends Listener {
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
 * @param failed told why a TLS connection was not made, for a log
 * @throws {NatsError} NATS_ERR_LISTEN; NATS_ERR_OPTION when a certificate cannot be used
 */
export async function listenWebsocket (settings: WebsocketSettings, limits: WebsocketLimits, accept: AcceptWebsocket, failed: (address: string, reason: string) => void = () => {}): Promise<WebsocketListener> {
  const handshake = new WebsocketHandshake(settings, limits, accept)
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
  const serve = (socket: Socket): void => {
    waiting.set(socket, setTimeout(() => { socket.destroy() }, settings.handshakeTimeout))
    socket.on('close', () => { forget(socket) })
    http.emit('connection', socket)
  }
  const listener = await listenTcp(settings.host, settings.port ?? 0, (socket) => {
    if (tls === null) {
      serve(socket)
      return
    }
    const address = `${socket.remoteAddress}:${socket.remotePort}`
    tls.secure(socket, { greet: () => '', opened: serve, failed: (reason) => { failed(address, reason) } })
  })
  return {
    ...listener,
    reconfigure: (limits) => { handshake.reconfigure(limits) },
    prepareTls: (settings) => tls?.prepare(settings) ?? (() => {}),
    close: () => {
      tls?.close()
      for (const socket of waiting.keys()) socket.destroy()
    }
  }
}
