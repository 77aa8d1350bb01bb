import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ClientCertificate, ListenerRules } from '../auth/attempt.ts'
import type { ConnectOptions } from '../wire/connect.ts'
import type { Info } from '../wire/info.ts'

/** A stream that may know its remote end, as sockets do, the certificate of that end, as TLS sockets do, and how to say goodbye, as WebSockets do. */
export interface ClientStream extends Duplex {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
  getPeerCertificate? (): ClientCertificate | null
  /** How the connection is to end once `end` is called (RFC 6455, 7.1.5). */
  closeWith? (code: number, text: string): void
}

/** The address of the other end; empty where there is none. */
export function addressOf ({ remoteAddress = '' }: ClientStream): string {
  return remoteAddress.replace(/^::ffff:/, '')
}

/** What the server has said of itself to a connection. */
export interface Greeting {
  /** `client_id` of INFO. */
  readonly cid: number
  /** What clients with keys sign. */
  readonly nonce: string
  /** Whether the client has INFO already: it came in the clear, in front of TLS. */
  readonly isGreeted: boolean
}

/** How a connection came in. */
export interface Arrival {
  readonly greeting: Greeting
  /** The HTTP request that it began with, if one did. */
  readonly request: IncomingMessage | undefined
  /** The mountpoint of its listener, with placeholders. */
  readonly mountpoint: string
  readonly rules: ListenerRules
  /** What INFO says of its listener. */
  readonly info: Pick<Info, 'tls_required' | 'tls_verify' | 'tls_available'> & Partial<Pick<Info, 'host' | 'port'>>
  /** Fields of CONNECT for a client that leaves them empty: cookies. */
  readonly fields: Partial<Pick<ConnectOptions, 'jwt' | 'user' | 'pass' | 'auth_token'>>
}

/** What holds for connections that came in over TCP. */
export const tcpRules: ListenerRules = { connectionType: 'STANDARD', verifyAndMap: false, credentials: null, timeout: null }
