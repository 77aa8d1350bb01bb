import { headers, type MsgHdrs } from '@nats-io/transport-node'
import type { GatewayOptions } from '../../lib/index.ts'
import { type AnyAedes, startHost, type Teardown, versions } from '../helper/brokers.ts'
import type { MqttPeer } from '../helper/mqtt.ts'
import type { MqttVersion } from '../helper/raw-mqtt.ts'
import { connectTo } from '../helper/redis-brokers.ts'
import { startRedisHost } from '../helper/redis-nodes.ts'

type Create = typeof versions[number]['create']

/** Where NATS and MQTT clients meet: one broker, or one of two nodes each. */
export interface Ground {
  readonly natsUrl: string
  readonly natsPort: number
  readonly mqttUrl: string
  readonly mqttPort: number
  readonly mqttBroker: AnyAedes
  /** Resolves once the broker of the MQTT clients has noticed that one is gone. */
  readonly disconnected: (clientId: string) => Promise<void>
  /** Where MQTT clients connect to the node that the NATS clients are at. */
  readonly otherMqttUrl: string
  readonly otherMqttPort: number
  /** Resolves once that node stores what is published on a topic for so many subscriptions: other nodes tell it of theirs. */
  readonly stored: (topic: string, subscriptions: number) => Promise<void>
}

function noticing (broker: AnyAedes): Ground['disconnected'] {
  return (clientId) => new Promise((resolve) => {
    const listener = ({ id }: { id: string }): void => {
      if (id !== clientId) return
      broker.off('clientDisconnect', listener)
      resolve()
    }
    broker.on('clientDisconnect', listener)
  })
}

function watching (broker: AnyAedes): Ground['stored'] {
  const { persistence } = broker as unknown as { persistence: { subscriptionsByTopic (topic: string): Promise<unknown[]> } }
  return async (topic, subscriptions) => {
    while ((await persistence.subscriptionsByTopic(topic)).length !== subscriptions) await new Promise((resolve) => { setImmediate(resolve) })
  }
}

/** One broker in memory. */
export async function inMemory (t: Teardown, create: Create, nats: GatewayOptions = {}): Promise<Ground> {
  const host = await startHost(t, { create, nats })
  const { broker, mqttUrl, mqttPort } = host
  return { ...host, mqttBroker: broker, disconnected: noticing(broker), otherMqttUrl: mqttUrl, otherMqttPort: mqttPort, stored: watching(broker) }
}

/** Two nodes on a Redis, which is emptied before: NATS clients are at the one, MQTT clients at the other. */
export async function onRedis (t: Teardown, port: number, create: Create, nats: GatewayOptions = {}): Promise<Ground> {
  await connectTo(t, port).flushall()
  const near = await startRedisHost(t, port, { create, nats })
  const far = await startRedisHost(t, port, { create, nats })
  return {
    natsUrl: near.natsUrl,
    natsPort: near.natsPort,
    mqttUrl: far.mqttUrl,
    mqttPort: far.mqttPort,
    mqttBroker: far.broker,
    disconnected: noticing(far.broker),
    otherMqttUrl: near.mqttUrl,
    otherMqttPort: near.mqttPort,
    stored: watching(near.broker)
  }
}

/** Headers by which NATS publishes with a QoS. */
export function withQos (qos: 0 | 1 | 2): { headers: MsgHdrs } {
  const sent = headers()
  sent.set('Nmqtt-QoS', String(qos))
  return { headers: sent }
}

/** Disconnects, and resolves once the broker has noticed. */
export async function leave (ground: Ground, peer: MqttPeer): Promise<void> {
  const noticed = ground.disconnected(String(peer.client.options.clientId))
  await peer.client.endAsync()
  await noticed
}

/** Cuts the connection of a client, and resolves once the broker has noticed. */
export async function cut (ground: Ground, peer: MqttPeer): Promise<void> {
  const noticed = ground.disconnected(String(peer.client.options.clientId))
  peer.client.stream.destroy()
  await noticed
}

const names = { 3: 'MQTT 3.1', 4: 'MQTT 3.1.1', 5: 'MQTT 5' } as const

/** What mqtt.js is told to speak a version of MQTT. */
export function speaking (protocolVersion: MqttVersion): { protocolVersion: MqttVersion, protocolId?: 'MQIsdp' } {
  return protocolVersion === 3 ? { protocolVersion, protocolId: 'MQIsdp' } : { protocolVersion }
}

/** Every version of MQTT on every version of Aedes that speaks it. */
export const crossings: readonly { readonly title: string, readonly create: Create, readonly protocolVersion: MqttVersion }[] = versions.flatMap(
  ({ name, mqtt5, create }) => (mqtt5 ? [3, 4, 5] as const : [3, 4] as const).map((protocolVersion) => ({ title: `${name}, ${names[protocolVersion]}`, create, protocolVersion }))
)
