import { randomBytes } from 'node:crypto'
import type { Arrival } from '../client/arrival.ts'
import { parseAddress, type ResolvedOptions } from '../options.ts'
import type { Info } from '../wire/info.ts'
import { serverVersion } from '../wire/limits.ts'

/** The gateway, as INFO shows it. */
export interface Shown {
  readonly options: ResolvedOptions
  readonly serverId: string
  /** The port of its own listener. */
  readonly port: number
  readonly isLameDuck: boolean
  /** Where the client may go, in a cluster. */
  readonly urls: readonly string[]
  readonly isAuthRequired: boolean
  readonly needsNonce: boolean
}

/** An id as nats-server's are, without the key that it stands for there. */
export function createServerId (): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  return `N${Array.from(randomBytes(55), (byte) => alphabet[byte % 32]).join('')}`
}

/** What INFO tells a client, in the order of nats-server's fields. */
export function infoFor (shown: Shown, { greeting: { cid, nonce }, info: { host, port, ...tls } }: Arrival, address: string): Info {
  const { clientAdvertise, headers, maxPayload, serverName, host: ownHost } = shown.options
  const advertised = parseAddress(clientAdvertise)
  const info: Info = {
    server_id: shown.serverId,
    server_name: serverName,
    version: serverVersion,
    proto: 1,
    go: `node ${process.version}`,
    host: advertised?.host ?? host ?? ownHost,
    port: advertised === null || advertised.port === 0 ? port ?? shown.port : advertised.port,
    headers,
    ...shown.isAuthRequired ? { auth_required: true } : {},
    ...tls,
    max_payload: maxPayload,
    client_id: cid,
    client_ip: address.replace(/^::ffff:/, '')
  }
  if (shown.needsNonce) info.nonce = nonce
  if (shown.urls.length > 0) info.connect_urls = shown.urls
  if (shown.isLameDuck) info.ldm = true
  return info
}
