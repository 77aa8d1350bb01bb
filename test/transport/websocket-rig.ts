import { once } from 'node:events'
import http, { type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { WebSocket, type ClientOptions } from 'ws'
import { listenWebsocket, type WebsocketListener } from '../../lib/transport/websocket-listener.ts'
import type { WebsocketOptions } from '../../lib/options/websocket.ts'
import { resolveWebsocket } from '../../lib/transport/websocket-options.ts'
import type { WebsocketStream } from '../../lib/transport/websocket-stream.ts'
import type { Teardown } from '../helper/brokers.ts'
import { limits } from './fake-gateway.ts'

export interface Accepted {
  readonly stream: WebsocketStream
  readonly request: IncomingMessage
}

/** Streams of a listener, to be taken one by one. */
export class Arrivals {
  private readonly arrived: Accepted[] = []
  private wake: (() => void) | null = null

  readonly accept = (stream: WebsocketStream, request: IncomingMessage): void => {
    this.arrived.push({ stream, request })
    this.wake?.()
  }

  get count (): number {
    return this.arrived.length
  }

  async next (): Promise<Accepted> {
    for (;;) {
      const first = this.arrived.shift()
      if (first !== undefined) return first
      await new Promise<void>((resolve) => { this.wake = resolve })
    }
  }
}

export interface Rig {
  readonly listener: WebsocketListener
  readonly port: number
  readonly arrivals: Arrivals
  readonly failures: string[]
}

/** A listener on a free port whose streams the test takes. */
export async function startListener (t: Teardown, options: WebsocketOptions = {}, its = limits, accept?: (stream: WebsocketStream) => void): Promise<Rig> {
  const arrivals = new Arrivals()
  const failures: string[] = []
  const all = { host: '127.0.0.1', port: 0, handshakeTimeout: 60_000, ...(options.tls == null ? { noTls: true } : {}), ...options }
  const streams: WebsocketStream[] = []
  const listener = await listenWebsocket(resolveWebsocket(all), its, {
    admit: () => null,
    accept: (stream, request) => {
      streams.push(stream)
      if (accept === undefined) arrivals.accept(stream, request)
      else accept(stream)
    },
    failed: (_address, reason) => { failures.push(reason) }
  })
  t.teardown(() => {
    listener.stop()
    listener.close()
    for (const stream of streams) stream.destroy()
  })
  return { listener, port: listener.port, arrivals, failures }
}

/** A WebSocket client that is gone with the test. */
export function dial (t: Teardown, url: string, options: ClientOptions = {}): WebSocket {
  const socket = new WebSocket(url, options)
  socket.on('error', () => {})
  t.teardown(() => { socket.terminate() })
  return socket
}

/** A stream and its client. */
export async function pair (t: Teardown, rig: Rig, options: ClientOptions = {}): Promise<{ client: WebSocket, stream: WebsocketStream, request: IncomingMessage }> {
  const client = dial(t, `ws://127.0.0.1:${rig.port}/`, options)
  const [{ stream, request }] = await Promise.all([rig.arrivals.next(), once(client, 'open')])
  return { client, stream, request }
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** What a WebSocket handshake needs. */
export const handshake = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' }

/** Sends a request, with just these headers and Host, and reads what is answered; an upgrade is ended at once. */
export function ask (port: number, headers: Readonly<Record<string, string>>, { method = 'GET', path = '/', body = '' } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request({ port, host: '127.0.0.1', method, path, headers, agent: false })
    request.on('response', (response) => {
      let body = ''
      response.setEncoding('latin1').on('data', (chunk: string) => { body += chunk })
      response.on('end', () => { resolve({ status: response.statusCode ?? 0, headers: response.headers, body }) })
    })
    request.on('upgrade', (response, socket) => {
      socket.destroy()
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: '' })
    })
    request.on('error', reject)
    request.end(body)
  })
}
