import type { ConnectOptions } from '../wire/connect.ts'
import type { Identity } from './identity.ts'

/** The part of Node's `tls.PeerCertificate` that is looked at; `getPeerCertificate()` of a client without one lacks it. */
export interface ClientCertificate {
  /** DER. */
  readonly raw?: Buffer | undefined
}

/** What holds for the connections of a listener. */
export interface ListenerRules {
  readonly connectionType: 'STANDARD' | 'WEBSOCKET' | 'MQTT'
  /** Whether the user is the one whom the client certificate names (nats-server's `verify_and_map`). */
  readonly verifyAndMap: boolean
  /** A user, token or `noAuthUser` of its own, instead of those of the gateway; null for the latter. */
  readonly credentials: Credentials | null
  /** Milliseconds that a client may take to say who it is; null is that of the gateway. */
  readonly timeout: number | null
}

/** A single user, or a token; null is none. Passwords and tokens are plain or bcrypt. */
export interface Credentials {
  readonly user: string | null
  readonly pass: string | null
  readonly token: string | null
  readonly noAuthUser: string | null
}

/** A connection that wants in. */
export interface Attempt {
  readonly listener: ListenerRules
  readonly options: Readonly<ConnectOptions>
  /** As INFO told it to this connection. */
  readonly nonce: string
  /** Verified by the listener, which asks for one where it maps them to users. */
  readonly certificate: ClientCertificate | null
  /** The address of the client, without `::ffff:`. */
  readonly address: string
  /** Whether hooks of the host are asked next, who take a public key as user name for a proven one. */
  readonly meetsHooks: boolean
  /** Who it has been so far, with the same CONNECT; null where it is new. */
  readonly before: Identity | null
  /** False once the connection has ended: then no time is spent on its password. */
  readonly isOpen: () => boolean
}
