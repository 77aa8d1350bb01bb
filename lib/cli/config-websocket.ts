import { readCredentials } from './config-authorization.ts'
import type { Credentials } from './config-authorization.ts'
import type { ConfigNode } from './config-parser.ts'
import type { ConfigReader } from './config-reader.ts'
import { readTls } from './config-tls.ts'
import type { TlsSettings } from './config-tls.ts'

/** A `websocket` block. The port is nats-server's: -1 is any free one, 0 (not given) is off. */
export interface WebsocketSettings {
  readonly host: string | null
  readonly port: number
  readonly advertise: string | null
  readonly noTls: boolean
  readonly tls: TlsSettings | null
  readonly sameOrigin: boolean
  readonly allowedOrigins: readonly string[] | null
  /** Milliseconds. */
  readonly handshakeTimeout: number | null
  readonly compression: boolean
  readonly credentials: Credentials | null
  readonly jwtCookie: string | null
  readonly noAuthUser: string | null
}

/** Reads a `websocket` block. */
export function readWebsocket (reader: ConfigReader, node: ConfigNode | undefined): WebsocketSettings | null {
  const block = reader.block(node)
  if (block === null) return null
  const at = reader.keys(block, 'websocket.', {
    listen: [],
    host: ['net'],
    port: [],
    advertise: [],
    no_tls: [],
    tls: [],
    same_origin: [],
    allowed_origins: ['allowed_origin', 'allow_origins', 'allow_origin', 'origins', 'origin'],
    handshake_timeout: [],
    compression: ['compress'],
    authorization: ['authentication'],
    jwt_cookie: [],
    no_auth_user: []
  })
  const listen = reader.listen(at.listen)
  return {
    host: listen?.host ?? (reader.text(at.host) || null),
    port: listen?.port ?? reader.port(at.port) ?? 0,
    advertise: reader.text(at.advertise),
    noTls: reader.flag(at.no_tls) ?? false,
    tls: readTls(reader, at.tls, 'websocket.tls.'),
    sameOrigin: reader.flag(at.same_origin) ?? false,
    allowedOrigins: reader.texts(at.allowed_origins),
    handshakeTimeout: reader.duration(at.handshake_timeout, 'seconds'),
    compression: reader.flag(at.compression) ?? false,
    credentials: readCredentials(reader, at.authorization),
    jwtCookie: reader.text(at.jwt_cookie),
    noAuthUser: reader.text(at.no_auth_user)
  }
}
