import { encodeText } from './text.ts'

/** The INFO of nats-server 2.10 (server/server.go `Info`), in its order; a field that is absent is left out. */
export interface Info {
  server_id: string
  server_name: string
  version: string
  proto: number
  go: string
  host: string
  port: number
  headers: boolean
  auth_required?: true
  tls_required?: true
  tls_verify?: true
  tls_available?: true
  max_payload: number
  client_id: number
  client_ip: string
  nonce?: string
  connect_urls?: readonly string[]
  ldm?: true
}

/** An INFO line as latin1 text; nats-server puts a space between JSON and CRLF (server/util.go generateInfoJSON). */
export function infoLine (info: Info): string {
  return `INFO ${encodeText(JSON.stringify(info))} \r\n`
}
