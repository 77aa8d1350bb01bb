import { isSeed } from '../auth/nkey.ts'
import type { NatsError } from '../errors.ts'
import { defaultConnectOptions } from '../wire/connect.ts'
import type { Message } from '../wire/message.ts'
import type { FrameSink } from '../wire/parser.ts'
import type { Client } from './client.ts'

// What CONNECT says and nobody else may read.
const secrets: ReadonlySet<string> = new Set(['pass', 'auth_token', 'jwt', 'sig'])
const masked = '[REDACTED]'

/** Whether a field is one that nobody has to hide; a client may have a secret under a name that means nothing here. */
function isPublic (name: string, value: unknown): boolean {
  if (value === '') return true
  const option = name.toLowerCase()
  return Object.hasOwn(defaultConnectOptions, option) && !secrets.has(option) && typeof value !== 'object' && !isSeed(String(value))
}

/** CONNECT as it may be shown. */
export function maskConnect (json: string): string {
  let given: unknown
  try {
    given = JSON.parse(json)
  } catch {
    return masked
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return masked
  return JSON.stringify(Object.fromEntries(Object.entries(given).map(([name, value]) => [name, isPublic(name, value) ? value : masked])))
}

/** The protocol in the log, as nats-server traces it (server/client.go traceOp): `<<-` comes in, `->>` goes out. */
export class Tracer implements FrameSink {
  private readonly sink: FrameSink
  private readonly write: (text: string) => void

  constructor (sink: FrameSink, write: (text: string) => void) {
    this.sink = sink
    this.write = write
  }

  private incoming (...parts: (string | number)[]): void {
    this.write(`<<- [${parts.filter((part) => part !== '').join(' ')}]`)
  }

  /** What is written to the client, payloads left out. */
  outgoing (text: string): void {
    this.write(`->> [${text.slice(0, text.indexOf('\r\n'))}]`)
  }

  connect (json: string): void {
    this.incoming('CONNECT', maskConnect(json))
    this.sink.connect(json)
  }

  publishing (subject: string): void {
    this.sink.publishing(subject)
  }

  publish (message: Message): void {
    const { subject, reply, headerSize, size } = message
    if (headerSize === 0) this.incoming('PUB', subject, reply, size)
    else this.incoming('HPUB', subject, reply, headerSize, size)
    this.write(`<<- MSG_PAYLOAD: [${JSON.stringify(message.header + message.body)}]`)
    this.sink.publish(message)
  }

  subscribe (subject: string, queue: string | null, sid: string): void {
    this.incoming('SUB', subject, queue ?? '', sid)
    this.sink.subscribe(subject, queue, sid)
  }

  unsubscribe (sid: string, max: number): void {
    this.incoming('UNSUB', sid, max === -1 ? '' : max)
    this.sink.unsubscribe(sid, max)
  }

  ping (): void {
    this.incoming('PING')
    this.sink.ping()
  }

  pong (): void {
    this.incoming('PONG')
    this.sink.pong()
  }

  fail (error: NatsError): void {
    this.sink.fail(error)
  }
}

/** The sink for what a client sends, traced where the log asks for it. */
export function traced (client: Client, sink: FrameSink): FrameSink {
  const { log } = client.services
  if (log.isLevelEnabled?.('trace') !== true) return sink
  const tracer = new Tracer(sink, (text) => { log.trace(client.details, text) })
  client.outbox.trace = (text) => { tracer.outgoing(text) }
  return tracer
}
