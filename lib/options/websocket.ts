import type { ListenerAuthorizationOption } from './authorization.ts'
import type { TlsOptions } from './tls.ts'

/**
 * How WebSocket connections are taken: on a port of their own, or on a path of the host's HTTP server. `websocketTable` in
 * transport/websocket-options.ts says what each means.
 */
export interface WebsocketOptions {
  path?: string | null
  host?: string | null
  port?: number | null
  tls?: TlsOptions | null
  noTls?: boolean
  sameOrigin?: boolean
  allowedOrigins?: readonly string[] | null
  handshakeTimeout?: number
  compression?: boolean
  jwtCookie?: string | null
  userCookie?: string | null
  passCookie?: string | null
  tokenCookie?: string | null
  mountpoint?: string | null
  authorization?: ListenerAuthorizationOption | null
}
