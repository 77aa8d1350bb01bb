import type { NatsConnection } from '@nats-io/transport-node'
import type { Teardown } from '../helper/brokers.ts'
import { connectMqtt } from '../helper/mqtt.ts'
import { connectNats } from '../helper/nats.ts'
import type { Audience, Ledger } from './ledger.ts'
import type { Node } from './nodes.ts'

// Between bursts, in milliseconds.
const tick = 10

/** Publishes numbered messages at a steady rate, a second. */
export class Publisher {
  readonly name: string
  private readonly ledger: Ledger
  private readonly send: (text: string) => void
  private readonly timer: NodeJS.Timeout
  private readonly began = performance.now()
  private readonly rate: number
  private readonly most: number
  private sent = 0
  private readonly finished: Promise<void>
  private finish: () => void = () => {}

  /** @param most after which it ends by itself */
  constructor (t: Teardown, ledger: Ledger, name: string, rate: number, send: (text: string) => void, most = Infinity) {
    this.ledger = ledger
    this.name = name
    this.rate = rate
    this.send = send
    this.most = most
    this.finished = new Promise((resolve) => { this.finish = resolve })
    this.timer = setInterval(() => { this.burst() }, tick)
    t.teardown(() => { this.stop() })
  }

  private burst (): void {
    const due = Math.min(this.most, (performance.now() - this.began) * this.rate / 1000, this.sent + this.rate)
    for (; this.sent < due; this.sent++) this.send(this.ledger.next(this.name))
    if (this.sent >= this.most) this.stop()
  }

  stop (): void {
    clearInterval(this.timer)
    this.finish()
  }

  /** Resolves when it has ended. */
  async ended (): Promise<void> {
    await this.finished
  }
}

/** Clients of a run, and what they do. */
export class Load {
  readonly t: Teardown
  readonly ledger: Ledger
  readonly publishers: Publisher[] = []

  constructor (t: Teardown, ledger: Ledger) {
    this.t = t
    this.ledger = ledger
  }

  async nats (node: Node, options: object = {}): Promise<NatsConnection> {
    return (await connectNats(this.t, node.natsUrl, { name: node.id, reconnectTimeWait: 200, maxReconnectAttempts: -1, ...options })).nats
  }

  /** A NATS subscription for an audience; in effect once this resolves. */
  async hear (nats: NatsConnection, subject: string, audience: Audience, { queue, member = '' }: { queue?: string, member?: string } = {}): Promise<void> {
    nats.subscribe(subject, {
      ...queue === undefined ? {} : { queue },
      callback: (error, message) => { if (error === null) audience.take(message.string(), member) }
    })
    await nats.flush()
  }

  /** An MQTT subscription for an audience. */
  async hearMqtt (node: Node, filters: string[], audience: Audience): Promise<void> {
    const { client } = await connectMqtt(this.t, node.mqttUrl, { reconnectPeriod: 200 })
    client.on('message', (_topic, payload) => { audience.take(payload.toString()) })
    await client.subscribeAsync(filters)
  }

  /** Publishes from NATS. */
  publish (nats: NatsConnection, subject: string, name: string, rate: number, most?: number): void {
    this.publishers.push(new Publisher(this.t, this.ledger, name, rate, (text) => { nats.publish(subject, text) }, most))
  }

  /** Publishes from MQTT with QoS 0. */
  async publishMqtt (node: Node, topic: string, name: string, rate: number, most?: number): Promise<void> {
    const { client } = await connectMqtt(this.t, node.mqttUrl, { reconnectPeriod: 200 })
    this.publishers.push(new Publisher(this.t, this.ledger, name, rate, (text) => { client.publish(topic, text) }, most))
  }

  async ended (): Promise<void> {
    await Promise.all(this.publishers.map((publisher) => publisher.ended()))
  }

  /** Ends the publishers; resolves once everybody has all, or no more comes. */
  async settled (patience?: number): Promise<void> {
    for (const publisher of this.publishers) publisher.stop()
    await this.ledger.settled(patience)
  }
}
