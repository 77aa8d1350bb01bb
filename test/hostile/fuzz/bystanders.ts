import type { Teardown } from '../../helper/brokers.ts'
import { connectMqtt, type MqttPeer } from '../../helper/mqtt.ts'
import { connect, type RawClient } from '../../helper/raw.ts'
import type { Victim } from '../victim.ts'

// No case uses these names.
const subject = 'bystanders.nats'
const topic = 'bystanders/mqtt'

/** A NATS client and an MQTT client that have nothing to do with what goes on. */
export class Bystanders {
  exchanges = 0
  private readonly nats: RawClient
  private readonly mqtt: MqttPeer

  constructor (nats: RawClient, mqtt: MqttPeer) {
    this.nats = nats
    this.mqtt = mqtt
  }

  /** A message from NATS to both, and one from MQTT to both. */
  async exchange (): Promise<void> {
    const number = String(++this.exchanges)
    this.nats.send(`PUB ${subject} ${number.length}\r\n${number}\r\n`)
    await this.nats.expect(`MSG ${subject} 1 ${number.length}\r\n${number}\r\n`)
    await this.mqtt.publish(topic, number, { qos: 0 })
    await this.nats.expect(`MSG bystanders.mqtt 1 ${number.length}\r\n${number}\r\n`)
    const received = await this.mqtt.take(2)
    const got = received.map(({ topic, payload }) => `${topic} ${payload.toString()}`).sort()
    const wanted = [`bystanders/mqtt ${number}`, `bystanders/nats ${number}`]
    if (got.join() !== wanted.join()) throw new Error(`the MQTT bystander got ${got.join()} instead of ${wanted.join()}`)
  }
}

export async function startBystanders (t: Teardown, { natsPort, mqttPort }: Victim): Promise<Bystanders> {
  const nats = await connect(t, natsPort)
  nats.send('SUB bystanders.* 1\r\n')
  await nats.fence()
  const mqtt = await connectMqtt(t, `mqtt://127.0.0.1:${mqttPort}`, { protocolVersion: 5, clientId: 'bystander' })
  await mqtt.subscribe('bystanders/#', { qos: 0 })
  return new Bystanders(nats, mqtt)
}
