import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'

const names = [
  'address', 'alpnProtocol', 'authorizationError', 'authorized', 'bytesRead', 'bytesWritten', 'encrypted', 'getCipher',
  'getPeerCertificate', 'getPeerX509Certificate', 'getProtocol', 'localAddress', 'localFamily', 'localPort', 'ref',
  'remoteAddress', 'remoteFamily', 'remotePort', 'servername', 'setKeepAlive', 'setNoDelay', 'setTimeout', 'timeout',
  'unref'
] as const

/** What hosts and their hooks ask or tell a socket by `client.conn`. Absent where the stream below has no such thing. */
export type SocketDetails = Partial<Pick<TLSSocket, typeof names[number]>>

type Held = Duplex & Record<string, unknown>

/** Gives the streams of a class the properties and methods of the socket that each has in `socket`. */
export function showDetails (prototype: { readonly socket: Duplex }): void {
  for (const name of names) {
    Object.defineProperty(prototype, name, {
      configurable: true,
      get (this: { readonly socket: Held }): unknown {
        const { socket } = this
        const value = socket[name]
        if (typeof value !== 'function') return value
        return (...values: unknown[]): unknown => {
          const answer: unknown = value.apply(socket, values)
          return answer === socket ? this : answer
        }
      }
    })
  }
}
