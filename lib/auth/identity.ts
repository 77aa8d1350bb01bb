import type { ErrorCode } from '../errors.ts'
import type { ConnectOptions } from '../wire/connect.ts'
import type { Permissions } from './permissions.ts'

/** Limits of one connection; Infinity is none. `data` is what a JWT says, which nats-server does not enforce either. */
export interface ConnectionLimits {
  readonly subscriptions: number
  readonly payload: number
  readonly data: number
}

/** The credentials of a CONNECT. */
export type ShownCredentials = Pick<ConnectOptions, 'user' | 'pass' | 'auth_token' | 'nkey' | 'jwt'>

export const noCredentials: ShownCredentials = Object.freeze({ user: '', pass: '', auth_token: '', nkey: '', jwt: '' })

/** Who a connection is, and what it may do. */
export interface Identity {
  /** For logs and monitoring, as nats-server writes it: `User "alice"`, `Nkey "U..."`, `Token "[REDACTED]"`. Nothing secret. */
  readonly name: string
  /** What the hooks of the host get as user name: that of the user, or a proven public key; null with a token or nothing. */
  readonly username: string | null
  /** The name of the account of the configuration, or the public key of a JWT's; null for none. */
  readonly account: string | null
  /** Most connections that the account may have at a time; Infinity is no limit. */
  readonly accountConnections: number
  /** Of this connection alone; null allows everything. */
  readonly permissions: Permissions | null
  readonly limits: ConnectionLimits
  /** When the connection ends, and with which error; null is never. Milliseconds since 1970. */
  readonly expires: { readonly at: number, readonly code: Extract<ErrorCode, 'NATS_ERR_USER_EXPIRED' | 'NATS_ERR_ACCOUNT_EXPIRED'> } | null
  /** Of CONNECT the credentials by which the client got in, or by which a hook may let it in: what those see, who must take nothing else for proven. The others are ''. */
  readonly shown: ShownCredentials
  /** What was found to match, so that it need not be compared again; null for nothing. Secret. */
  readonly match: { readonly configured: string, readonly given: string } | null
  /** What the JWT of operator mode says besides; null without one. */
  readonly jwt: UserToken | null
}

export interface UserToken {
  readonly subject: string
  readonly issuer: string
  readonly name: string
  readonly tags: readonly string[]
  /** Seconds since 1970. */
  readonly issuedAt: number
  readonly bearer: boolean
}

export const noLimits: ConnectionLimits = Object.freeze({ subscriptions: Infinity, payload: Infinity, data: Infinity })
