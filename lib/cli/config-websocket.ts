import type { WebsocketOptions } from '../options/websocket.ts'
import { resolveWebsocket } from '../transport/websocket-options.ts'
import { readListenerAuthorization } from './config-authorization.ts'
import type { ConfigNode } from './config-parser.ts'
import type { ConfigReader } from './config-reader.ts'
import { readTls } from './config-tls.ts'

const known = {
  listen: [],
  host: ['net'],
  port: [],
  no_tls: [],
  tls: [],
  same_origin: [],
  allowed_origins: ['allowed_origin', 'allow_origins', 'allow_origin', 'origins', 'origin'],
  handshake_timeout: [],
  compression: ['compress'],
  authorization: ['authentication'],
  jwt_cookie: [],
  user_cookie: [],
  pass_cookie: [],
  token_cookie: [],
  no_auth_user: [],
  mountpoint: []
} as const

const ignored = ['advertise', 'headers', 'ping_interval']

/**
 * Reads a `websocket` block. The port is nats-server's: -1 is any free one, 0 (not given) is off.
 *
 * @returns the option `websocket`, without what the block does not say; null where it is off
 */
export function readWebsocket (reader: ConfigReader, node: ConfigNode | undefined): WebsocketOptions | null {
  const block = reader.block(node)
  if (node === undefined || block === null) return null
  const at = reader.keys(block, 'websocket.', known, ignored)
  const listen = reader.listen(at.listen)
  const port = listen?.port ?? reader.port(at.port) ?? 0
  const authorization = readListenerAuthorization(reader, 'websocket.authorization.', at)
  const given = {
    host: listen?.host ?? (reader.text(at.host) || null),
    port: Math.max(port, 0),
    tls: readTls(reader, at.tls, 'websocket.tls.'),
    noTls: reader.flag(at.no_tls),
    sameOrigin: reader.flag(at.same_origin),
    allowedOrigins: reader.texts(at.allowed_origins),
    handshakeTimeout: reader.duration(at.handshake_timeout, 'seconds') || null,
    compression: reader.flag(at.compression),
    jwtCookie: reader.text(at.jwt_cookie) || null,
    userCookie: reader.text(at.user_cookie) || null,
    passCookie: reader.text(at.pass_cookie) || null,
    tokenCookie: reader.text(at.token_cookie) || null,
    mountpoint: reader.text(at.mountpoint),
    authorization: Object.values(authorization).every((value) => value === null) ? null : authorization
  }
  if (port === 0) return null
  if (at.tls === undefined && given.noTls !== true) reader.problem(node, 'websocket needs a tls block, or no_tls: true')
  const options: WebsocketOptions = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null))
  if (!reader.isFaulty) check(reader, node, options)
  return options
}

function check (reader: ConfigReader, node: ConfigNode, options: WebsocketOptions): void {
  try {
    resolveWebsocket(options)
  } catch (error) {
    reader.problem(node, (error as Error).message)
  }
}
