import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import type { WebsocketSettings } from './websocket-options.ts'

/** Scheme, host and port of an URL in one way of writing, `https://example.com:443`; null where there is none. */
export function originOf (url: string): string | null {
  if (!URL.canParse(url)) return null
  const { protocol, hostname, port } = new URL(url)
  if (hostname === '') return null
  return `${protocol}//${hostname.toLowerCase()}:${port || (protocol === 'https:' ? 443 : 80)}`
}

/**
 * Whether the page that a request comes from may connect (server/websocket.go checkOrigin). Only browsers say where
 * they are, and nothing keeps others from saying anything: a request without Origin is allowed.
 */
export function isOriginAllowed (request: IncomingMessage, { sameOrigin, allowedOrigins }: WebsocketSettings): boolean {
  if (!sameOrigin && allowedOrigins === null) return true
  const { headers } = request
  const given = headers.origin ?? headers['sec-websocket-origin']
  if (given === undefined || given === '') return true
  const origin = originOf(String(given))
  if (origin === null) return false
  const scheme = (request.socket as TLSSocket).encrypted ? 'https' : 'http'
  if (sameOrigin && origin !== originOf(`${scheme}://${headers.host}`)) return false
  return allowedOrigins === null || allowedOrigins.has(origin)
}
