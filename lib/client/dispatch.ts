import type { NatsError } from '../errors.ts'
import { isLiteral } from '../subject/grammar.ts'
import { NatsError as Failure } from '../errors.ts'
import type { Message } from '../wire/message.ts'
import type { FrameSink } from '../wire/parser.ts'
import { PONG } from '../wire/serializer.ts'
import type { Client } from './client.ts'
import { whenRetained } from './retained-subscription.ts'
import { connect, enter } from './verbs/connect.ts'
import { publish } from './verbs/publish.ts'
import { subscribe, unsubscribe } from './verbs/subscribe.ts'

/** From frames to verbs (nats.docs, "Client Protocol"). The first operation lets the client in, CONNECT or not. */
export class Dispatch implements FrameSink {
  private readonly client: Client

  constructor (client: Client) {
    this.client = client
  }

  connect (json: string): void {
    connect(this.client, json)
  }

  publishing (subject: string): void {
    if (!isLiteral(subject)) this.client.fail(new Failure('NATS_ERR_INVALID_PUBLISH'))
  }

  // hot: once per message
  publish (message: Message): void {
    const { client } = this
    client.keepalive.active()
    client.inMessages++
    client.inBytes += message.size
    if (client.state === 'ready') publish(client, message)
    else enter(client, () => { publish(client, message) })
  }

  subscribe (subject: string, queue: string | null, sid: string): void {
    const { client } = this
    client.keepalive.active()
    if (client.state === 'ready') subscribe(client, subject, queue, sid)
    else enter(client, () => { subscribe(client, subject, queue, sid) })
  }

  unsubscribe (sid: string, max: number): void {
    const { client } = this
    client.keepalive.active()
    if (client.state === 'ready') unsubscribe(client, sid, max)
    else enter(client, () => { unsubscribe(client, sid, max) })
  }

  ping (): void {
    const { client } = this
    client.keepalive.active()
    if (client.state === 'ready') this.pingReady()
    else enter(client, () => { this.pingReady() })
  }

  /** A PONG says that all SUBs before it are in effect, also where the broker shares its queue with other nodes, and have what is retained. */
  private pingReady (): void {
    const { client } = this
    const { link } = client.services
    client.gate.await<void>((done) => { client.whenLive(() => { whenRetained(client, done) }) }, () => {
      client.outbox.write(PONG)
      if (!client.hadPong) {
        client.hadPong = true
        client.services.greeted(client)
      }
      link.broker.emit('ping', { cmd: 'pingreq' }, client.facade)
    })
  }

  pong (): void {
    this.client.pong()
  }

  fail (error: NatsError): void {
    this.client.fail(error)
  }
}
