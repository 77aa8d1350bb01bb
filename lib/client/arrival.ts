import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ClientCertificate, ListenerRules } from '../auth/attempt.ts'

/** A stream that may know its remote end, as sockets do, and the certificate of that end, as TLS sockets do. */
export interface ClientStream extends Duplex {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
  getPeerCertificate? (): ClientCertificate | null
}

/** How a connection came in. */
export interface Arrival {
  /** The HTTP request that it began with, if one did. */
  readonly request: IncomingMessage | undefined
  /** The mountpoint of its listener, with placeholders. */
  readonly mountpoint: string
  readonly rules: ListenerRules
}

/** What holds for connections that came in over TCP. */
export const tcpRules: ListenerRules = { connectionType: 'STANDARD', verifyAndMap: false, credentials: null }
