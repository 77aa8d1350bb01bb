import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { listenTcp } from '../../lib/transport/tcp.ts'
import { TlsServer } from '../../lib/transport/tls.ts'
import type { TlsOptions } from '../../lib/options/tls.ts'
import { resolveTls } from '../../lib/transport/tls-options.ts'
import { infoLine, type Info } from '../../lib/wire/info.ts'
import type { Message } from '../../lib/wire/message.ts'
import { Parser, type FrameSink } from '../../lib/wire/parser.ts'
import type { Teardown } from '../helper/brokers.ts'

export const limits = { maxPayload: 1_048_576, maxControlLine: 4096 }

/** An INFO line with fields of its own. */
export function infoOf (fields: object = {}): string {
  const info: Info = {
    server_id: 'FAKE', server_name: 'fake', version: '2.10.0', proto: 1, go: 'node', host: '127.0.0.1', port: 0, headers: true, max_payload: limits.maxPayload, client_id: 1, client_ip: '127.0.0.1'
  }
  return infoLine({ ...info, ...fields })
}

/** What a connection does with frames: messages go back to its own subscriptions of the very subject. */
class Echo implements FrameSink {
  private readonly sids = new Map<string, string>()
  private readonly stream: Duplex

  constructor (stream: Duplex) {
    this.stream = stream
  }

  connect (): void {}
  publishing (): void {}
  pong (): void {}

  subscribe (subject: string, _queue: string | null, sid: string): void {
    this.sids.set(subject, sid)
  }

  unsubscribe (): void {}

  publish ({ subject, body }: Message): void {
    const sid = this.sids.get(subject)
    if (sid !== undefined) this.stream.write(`MSG ${subject} ${sid} ${body.length}\r\n${body}\r\n`, 'latin1')
  }

  ping (): void {
    this.stream.write('PONG\r\n', 'latin1')
  }

  fail (error: Error): void {
    this.stream.end(`-ERR '${error.message}'\r\n`, 'latin1')
  }
}

/** Serves a connection whose INFO is still to come, unless `info` is null. */
export function serve (stream: Duplex, info: string | null): void {
  const parser = new Parser(new Echo(stream), limits.maxControlLine, limits.maxPayload)
  if (info !== null) stream.write(info, 'latin1')
  stream.on('data', (chunk: Buffer) => { parser.push(chunk) })
  stream.on('error', () => {})
  stream.on('end', () => { stream.end() })
}

export interface FakeGateway {
  readonly port: number
  readonly tls: TlsServer
  /** Connections that were opened. */
  readonly streams: Socket[]
  /** Why others were not. */
  readonly failures: string[]
}

/** As much of a gateway as a TLS client needs. */
export async function startFakeGateway (t: Teardown, options: TlsOptions): Promise<FakeGateway> {
  const tls = new TlsServer(resolveTls({ timeout: 60_000, ...options }))
  const streams: Socket[] = []
  const failures: string[] = []
  const listener = await listenTcp('127.0.0.1', 0, (socket) => {
    tls.open(socket, {
      greet: () => infoOf(tls.info(true)),
      opened: (stream, isGreeted) => {
        streams.push(stream)
        serve(stream, isGreeted ? null : infoOf(tls.info(false)))
      },
      failed: (reason) => { failures.push(reason) }
    })
  })
  t.teardown(() => {
    listener.stop()
    tls.close()
    for (const stream of streams) stream.destroy()
  })
  return { port: listener.port, tls, streams, failures }
}
