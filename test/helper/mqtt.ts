import mqtt, { type IClientOptions, type IClientSubscribeOptions, type MqttClient } from 'mqtt'
import type { Teardown } from './brokers.ts'

export interface Received {
  readonly topic: string
  readonly payload: Buffer
  readonly qos: number
  readonly retain: boolean
  readonly properties: Record<string, unknown> | undefined
}

/** An MQTT client that keeps what it receives. */
export class MqttPeer {
  readonly client: MqttClient
  readonly received: Received[] = []
  private waiting: (() => void) | null = null

  constructor (client: MqttClient) {
    this.client = client
    client.on('message', (topic, payload, packet) => {
      this.received.push({ topic, payload, qos: packet.qos, retain: packet.retain, properties: packet.properties as Record<string, unknown> | undefined })
      this.waiting?.()
    })
  }

  /** The next messages, in the order of arrival. */
  async take (count = 1): Promise<Received[]> {
    while (this.received.length < count) await new Promise<void>((resolve) => { this.waiting = resolve })
    return this.received.splice(0, count)
  }

  /** All messages up to the first on a topic, which is left out. */
  async takeUntil (topic: string): Promise<Received[]> {
    for (;;) {
      const at = this.received.findIndex((message) => message.topic === topic)
      if (at !== -1) return this.received.splice(0, at + 1).slice(0, -1)
      await new Promise<void>((resolve) => { this.waiting = resolve })
    }
  }

  async subscribe (filter: string | string[], options: IClientSubscribeOptions = { qos: 1 }): Promise<void> {
    await this.client.subscribeAsync(filter, options)
  }

  async publish (topic: string, payload: string | Buffer, options: object = { qos: 1 }): Promise<void> {
    await this.client.publishAsync(topic, payload, options)
  }
}

export async function connectMqtt (t: Teardown, url: string, options: IClientOptions = {}): Promise<MqttPeer> {
  const client = await mqtt.connectAsync(url, { reconnectPeriod: 0, protocolVersion: 4, ...options })
  t.teardown(() => client.endAsync(true))
  return new MqttPeer(client)
}
