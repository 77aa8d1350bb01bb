import type { Socket } from 'node:net'
import { createWebSocketStream, WebSocket, type ClientOptions } from 'ws'
import type { Teardown } from '../helper/brokers.ts'
import { RawClient } from '../helper/raw.ts'

/** NATS as text in WebSocket messages, and how the WebSocket ends. */
export class WebClient extends RawClient {
  readonly webSocket: WebSocket
  readonly closed: Promise<string>

  constructor (webSocket: WebSocket) {
    super(createWebSocketStream(webSocket) as unknown as Socket)
    this.webSocket = webSocket
    this.closed = new Promise((resolve) => { webSocket.on('close', (code, text) => { resolve(`${code} ${text.toString()}`) }) })
  }
}

/** Connects and reads INFO; rejects with the HTTP status of a refusal. */
export async function dialNats (t: Teardown, url: string, options: ClientOptions = {}): Promise<WebClient & { info: Record<string, unknown> }> {
  const webSocket = new WebSocket(url, options)
  webSocket.on('error', () => {})
  t.teardown(() => { webSocket.terminate() })
  const client = new WebClient(webSocket)
  await new Promise((resolve, reject) => {
    webSocket.on('open', resolve)
    webSocket.on('error', reject)
  })
  const line = await client.expect(/INFO [^\r\n]*\r\n/)
  return Object.assign(client, { info: JSON.parse(line.slice(5)) as Record<string, unknown> })
}

export const hello = 'CONNECT {"verbose":false,"pedantic":false,"protocol":1,"headers":true}\r\n'
