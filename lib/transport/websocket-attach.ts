import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import tls from 'node:tls'
import { NatsError } from '../errors.ts'
import { type AcceptWebsocket, WebsocketHandshake, type WebsocketLimits } from './websocket-handshake.ts'
import type { WebsocketSettings } from './websocket-options.ts'

/** WebSocket connections on a path of a server that somebody else runs. */
export interface AttachedWebsocket {
  /** Puts changed limits into effect, for connections that begin from now on. */
  reconfigure (limits: WebsocketLimits): void
  /** Takes no more connections; those that are there stay. */
  stop (): void
}

type Upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

/** Who serves which path of a server. All share one listener, which can tell by that whether it is the only one. */
interface Share {
  readonly upgrades: Map<string, Upgrade>
  readonly listener: Upgrade
}

const shares = new WeakMap<Server, Share>()

/**
 * Hands a request for an upgrade back to a server that has nobody else for upgrades: it goes in anew, without its
 * Upgrade header, and is an ordinary request as it would be without us. Java's HTTP client asks for an upgrade to h2c
 * with every request, and curl --http2 does; a server that leaves these alone never answers them.
 */
function giveBack (server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  let text = `${request.method} ${request.url} HTTP/${request.httpVersion}\r\n`
  const { rawHeaders } = request
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() !== 'upgrade') text += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`
  }
  socket.unshift(Buffer.concat([Buffer.from(`${text}\r\n`, 'latin1'), head]))
  server.emit(server instanceof tls.Server ? 'secureConnection' : 'connection', socket)
}

function shareOf (server: Server): Share {
  const found = shares.get(server)
  if (found !== undefined) return found
  const upgrades = new Map<string, Upgrade>()
  const listener: Upgrade = (request, socket, head) => {
    const upgrade = upgrades.get(request.url?.split('?', 1)[0] ?? '')
    if (upgrade !== undefined) upgrade(request, socket, head)
    else if (server.listenerCount('upgrade') === 1) giveBack(server, request, socket, head)
  }
  const share = { upgrades, listener }
  server.on('upgrade', listener)
  shares.set(server, share)
  return share
}

/**
 * Takes WebSocket connections on the path of the settings, and leaves all other requests to the server.
 *
 * @throws {NatsError} NATS_ERR_LISTEN when the path is taken
 */
export function attachWebsocket (server: Server, settings: WebsocketSettings, limits: WebsocketLimits, accept: AcceptWebsocket): AttachedWebsocket {
  const path = settings.path as string
  const handshake = new WebsocketHandshake(settings, limits, accept)
  const { upgrades, listener } = shareOf(server)
  if (upgrades.has(path)) throw new NatsError('NATS_ERR_LISTEN', path, 'the path is in use')
  upgrades.set(path, (request, socket, head) => { handshake.upgrade(request, socket, head) })
  return {
    reconfigure: (limits) => { handshake.reconfigure(limits) },
    stop: () => {
      upgrades.delete(path)
      if (upgrades.size > 0) return
      server.off('upgrade', listener)
      shares.delete(server)
    }
  }
}
