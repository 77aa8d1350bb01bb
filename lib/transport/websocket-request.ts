import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { isOriginAllowed } from './websocket-origin.ts'
import type { CookieField, WebsocketSettings } from './websocket-options.ts'

/** What the HTTP request of a WebSocket tells beyond the connection. */
export interface WebsocketDetails {
  /** For the fields of CONNECT that are empty. */
  readonly cookies: Readonly<Partial<Record<CookieField, string>>>
  /** The address that a proxy says it speaks for, or ''. Anybody can send it: it is for logs alone. */
  readonly forwardedFor: string
  /** How a browser wants large messages. */
  readonly browser: 'none' | 'safari' | 'other'
}

function has (header: string | undefined, token: string): boolean {
  return header !== undefined && header.split(',').some((each) => each.trim().toLowerCase() === token)
}

/** The HTTP status that a request for a WebSocket is refused with, or null (server/websocket.go wsUpgrade). */
export function refusalOf (request: IncomingMessage, settings: WebsocketSettings): 400 | 403 | 405 | null {
  const { headers } = request
  if (request.method !== 'GET') return 405
  const isUpgrade = has(headers.upgrade, 'websocket') && has(headers.connection, 'upgrade')
  const isKey = /^[A-Za-z\d+/]{22}==$/.test(headers['sec-websocket-key'] ?? '')
  if (!isUpgrade || !isKey || !has(headers['sec-websocket-version'], '13')) return 400
  return isOriginAllowed(request, settings) ? null : 403
}

// What Go takes for the value of a cookie (net/http parseCookieValue); others it drops.
const cookieValue = /^(?:"([\x20!#-:<-[\]-~]*)"|([\x20!#-:<-[\]-~]*))$/

/** The cookies of a request by name, the last of a name. */
export function cookiesOf (header: string | undefined): ReadonlyMap<string, string> {
  const cookies = new Map<string, string>()
  for (const pair of (header ?? '').split(';')) {
    const equals = pair.indexOf('=')
    if (equals < 0) continue
    const value = cookieValue.exec(pair.slice(equals + 1).trim())
    if (value !== null) cookies.set(pair.slice(0, equals).trim(), value[1] ?? value[2] ?? '')
  }
  return cookies
}

function browserOf (agent: string | undefined): WebsocketDetails['browser'] {
  if (agent?.startsWith('Mozilla/') !== true) return 'none'
  // Chrome on macOS says Safari/ too, but not Version/.
  return agent.includes('Version/') && agent.includes('Safari/') ? 'safari' : 'other'
}

/** What a request tells. */
export function detailsOf ({ headers }: IncomingMessage, settings: WebsocketSettings): WebsocketDetails {
  const all = cookiesOf(headers.cookie)
  const cookies: Partial<Record<CookieField, string>> = {}
  for (const [field, name] of Object.entries(settings.cookies) as [CookieField, string | null][]) {
    const value = name === null ? undefined : all.get(name)
    if (value !== undefined) cookies[field] = value
  }
  const first = String(headers['x-forwarded-for'] ?? '').split(',')[0]?.trim() ?? ''
  return { cookies, forwardedFor: isIP(first) === 0 ? '' : first, browser: browserOf(headers['user-agent']) }
}
