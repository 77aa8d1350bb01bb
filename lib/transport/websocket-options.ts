import { NatsError } from '../errors.ts'
import type { OptionRow } from '../options.ts'
import type { WebsocketOptions } from '../options/websocket.ts'
import { boolean, type Check, integer, listOf, optional, resolveRows, text } from './option-rows.ts'
import { resolveTls, type TlsSettings } from './tls-options.ts'
import { originOf } from './websocket-origin.ts'

/** {@link WebsocketOptions} with every default filled in. */
export interface WebsocketSettings {
  readonly path: string | null
  readonly host: string
  readonly port: number | null
  readonly tls: TlsSettings | null
  readonly sameOrigin: boolean
  /** As {@link originOf} writes them; null allows all. */
  readonly allowedOrigins: ReadonlySet<string> | null
  readonly handshakeTimeout: number
  readonly compression: boolean
  /** Names of cookies by the field of CONNECT that each fills. */
  readonly cookies: Readonly<Record<CookieField, string | null>>
  /** Null is that of the gateway. */
  readonly mountpoint: string | null
  /** A user, token or `noAuthUser` of its own, and a timeout; null is that of the gateway. */
  readonly authorization: object | null
}

/** Fields of CONNECT that a cookie may fill where they are empty. */
export type CookieField = 'jwt' | 'user' | 'pass' | 'auth_token'

const maxTime = 2 ** 31 - 1

// RFC 6265, 4.1.1: a token of RFC 2616.
const cookie = optional(text(/^[\w!#$%&'*+.^`|~-]+$/, 'the name of a cookie'))
const origin: Check = {
  allowed: "an origin such as 'https://example.com'",
  test: (value) => typeof value === 'string' && /^https?:/i.test(value) && originOf(value) !== null
}

/** One row an option of `websocket`. */
export const websocketTable = {
  path: { default: null, check: optional(text(/^\/[^\s?#]*$/, "a path that begins with '/'")), doc: 'Path on the HTTP server of the host, in place of a port.' },
  host: { default: null, check: optional(text(/^[^\p{Cc}]+$/u, 'an address')), key: 'websocket.host', doc: 'Address to listen on, where it is not that of the gateway.' },
  port: { default: null, check: optional(integer(0, 65535)), key: 'websocket.port', doc: 'Port to listen on; 0 takes any free one.' },
  tls: { default: null, check: { allowed: 'null or an object, as `tls`', test: (value: unknown) => typeof value === 'object' }, key: 'websocket.tls', live: true, doc: 'TLS on this port. Left out only with `noTls`.' },
  noTls: { default: false, check: boolean, key: 'websocket.no_tls', doc: 'Whether the port is meant to be without TLS, behind a proxy that does it.' },
  sameOrigin: { default: false, check: boolean, key: 'websocket.same_origin', doc: 'Whether pages must come from this host and port.' },
  allowedOrigins: { default: null, check: optional(listOf(origin)), key: 'websocket.allowed_origins', doc: 'Origins of pages that may connect. Default all. Clients that are no browsers send none and may.' },
  handshakeTimeout: { default: 2000, check: integer(1, maxTime), key: 'websocket.handshake_timeout', doc: 'Longest time for the HTTP request, on a port of its own.' },
  compression: { default: false, check: boolean, key: 'websocket.compression', doc: 'Whether messages are compressed with clients that offer it.' },
  jwtCookie: { default: null, check: cookie, key: 'websocket.jwt_cookie', doc: 'Cookie that is `jwt` for clients that send none in CONNECT.' },
  userCookie: { default: null, check: cookie, key: 'websocket.user_cookie', doc: 'Likewise `user`.' },
  passCookie: { default: null, check: cookie, key: 'websocket.pass_cookie', doc: 'Likewise `pass`.' },
  tokenCookie: { default: null, check: cookie, key: 'websocket.token_cookie', doc: 'Likewise `auth_token`.' },
  mountpoint: { default: null, check: optional(text(/^/, 'a string')), key: 'websocket.mountpoint', doc: 'Topic prefix of its clients, where it is not that of the gateway.' },
  authorization: { default: null, check: optional({ allowed: 'an object', test: (value) => typeof value === 'object' && !Array.isArray(value) }), key: 'websocket.authorization', live: true, doc: '`user` and `pass`, `token` or `noAuthUser`, and `timeout`, where they are not those of the gateway.' }
} as const satisfies Record<keyof WebsocketOptions, OptionRow>

/**
 * Fills in the defaults and checks every value.
 *
 * @param host the address of the gateway
 * @throws {NatsError} NATS_ERR_OPTION or NATS_ERR_OPTION_UNKNOWN
 */
export function resolveWebsocket (options: WebsocketOptions, host = '0.0.0.0'): WebsocketSettings {
  const all = resolveRows('websocket', websocketTable, options) as Required<WebsocketOptions>
  const { path, port, tls, noTls, allowedOrigins } = all
  if ((path === null) === (port === null)) {
    throw new NatsError('NATS_ERR_OPTION', 'websocket', path === null ? 'without a place' : 'in two places', "an object with one of 'path' and 'port'")
  }
  if (path !== null && tls !== null) throw new NatsError('NATS_ERR_OPTION', 'websocket.tls', "given beside 'path'", "null: the host's server has its own")
  // As nats-server does (server/websocket.go validateWebsocketOptions): browsers send passwords and tokens here.
  if (port !== null && tls === null && !noTls) throw new NatsError('NATS_ERR_OPTION', 'websocket.tls', 'null', "an object with a certificate, unless 'noTls' is true")
  return Object.freeze({
    path,
    host: all.host ?? host,
    port,
    tls: tls === null ? null : resolveTls(tls, 'websocket.tls'),
    sameOrigin: all.sameOrigin,
    allowedOrigins: allowedOrigins === null || allowedOrigins.length === 0 ? null : new Set(allowedOrigins.map((each) => originOf(each) as string)),
    handshakeTimeout: all.handshakeTimeout,
    compression: all.compression,
    mountpoint: all.mountpoint,
    authorization: all.authorization,
    cookies: { jwt: all.jwtCookie, user: all.userCookie, pass: all.passCookie, auth_token: all.tokenCookie }
  })
}
