import { once } from 'node:events'
import { createRequire } from 'node:module'
import { connect, headers, type Msg, type NatsConnection, type Subscription } from '@nats-io/transport-node'
import t, { type Test } from 'tap'
import type { HostHooks, PublishPacket } from '../../lib/broker/host.ts'
import { encodePacket } from '../../lib/broker/packet-encoder.ts'
import type { Host } from '../helper/brokers.ts'
import { addOffline } from '../helper/links.ts'
import { connectMqtt } from '../helper/mqtt.ts'
import { connect as connectRaw } from '../helper/raw.ts'
import { connectTo } from '../helper/redis-brokers.ts'
import { eventually } from './store-suite.ts'
import { type Setting, settings } from './hosts.ts'

// What a message carries besides its payload, when it comes from a store.

const msgpack = createRequire(createRequire(import.meta.url).resolve('aedes-persistence-redis'))('msgpack-lite') as { decode (bytes: Buffer): PublishPacket }

async function nats (t: Test, url: string): Promise<NatsConnection> {
  const connection = await connect({ servers: url, reconnect: false })
  t.teardown(() => connection.close())
  return connection
}

/** Registers a durable group, which nobody is in. */
async function registered (t: Test, host: Host, subject: string, queue: string): Promise<void> {
  const service = await nats(t, host.natsUrl)
  service.subscribe(subject, { queue })
  await service.flush()
  const gone = once(host.broker, 'clientDisconnect')
  await service.close()
  await gone
}

async function take (subscription: Subscription, count: number): Promise<Msg[]> {
  const messages: Msg[] = []
  for await (const message of subscription) {
    messages.push(message)
    message.respond()
    if (messages.length === count) break
  }
  return messages
}

/** The headers of a message without those that name the delivery. */
function given (message: Msg | undefined): Record<string, string[]> {
  const { 'Nmqtt-Id': id, ...others } = Object.fromEntries(message?.headers ?? [])
  t.ok(id)
  return others
}

async function publish (host: Host, topic: string, payload: string, more: object = {}): Promise<void> {
  await new Promise<void>((resolve) => {
    host.broker.publish({ cmd: 'publish', topic, payload: Buffer.from(payload), qos: 1, retain: false, dup: false, ...more } as never, () => { resolve() })
  })
}

let groups = 0

function suite (t: Test, setting: Setting): void {
  const fresh = (): { queue: string, root: string } => ({ queue: `acked.p${++groups}`, root: `p${groups}` })

  t.test('headers of a NATS client reach a member', async (t) => {
    const { queue, root } = fresh()
    const host = await setting.start(t)
    await registered(t, host, `${root}.>`, queue)
    const service = await nats(t, host.natsUrl)
    const sent = headers()
    for (const [name, value] of [['A', 'one: two'], ['B', 'città'], ['A', '3'], ['constructor', 'c'], ['Nmqtt-QoS', '1'], ['Nmqtt-Content-Type', 'text/plain']] as const) sent.append(name, value)
    service.publish(`${root}.a`, 'x', { headers: sent, reply: 'some.reply' })
    await service.flush()
    const [message] = await take(service.subscribe(`${root}.>`, { queue }), 1)
    t.same(given(message), { A: ['one: two', '3'], B: ['città'], constructor: ['c'], 'Nmqtt-Content-Type': ['text/plain'], 'Nmqtt-Reply': ['some.reply'] })
  })

  t.test('authorizeForward changes headers, and the message is acknowledged all the same', async (t) => {
    const { queue, root } = fresh()
    const host = await setting.start(t)
    const hooks = host.broker as unknown as HostHooks
    hooks.authorizeForward = (_client, packet) => {
      if (packet.topic.startsWith(root)) packet.properties = { responseTopic: 'other', userProperties: { B: 'b' } }
      return packet
    }
    await registered(t, host, `${root}.>`, queue)
    await publish(host, `${root}/a`, 'x', { properties: { userProperties: { A: 'a' } } })
    const service = await nats(t, host.natsUrl)
    const [message] = await take(service.subscribe(`${root}.>`, { queue }), 1)
    t.same(given(message), { 'Nmqtt-Pub': ['1'], B: ['b'] })
    await eventually(async () => (await host.gateway.durables.inspect(queue))?.pending === 0, 'it is acknowledged')
  })

  t.test('a message whose time is over is not delivered, nor kept; others tell how much is left', async (t) => {
    const { queue, root } = fresh()
    const host = await setting.start(t)
    await registered(t, host, `${root}.>`, queue)
    const properties = { messageExpiryInterval: 1000, contentType: 'text/plain' }
    await publish(host, `${root}/a`, 'over', { properties, messageExpiry: Date.now() - 1 })
    await publish(host, `${root}/a`, 'half', { properties, messageExpiry: Date.now() + 500_000 })
    await publish(host, `${root}/a`, 'over too', { messageExpiry: Date.now() - 1 })
    await publish(host, `${root}/a`, 'never', {})
    const service = await nats(t, host.natsUrl)
    const [half, never] = await take(service.subscribe(`${root}.>`, { queue }), 2)
    t.same([half, never].map((message) => message?.string()), ['half', 'never'])
    const { 'Nmqtt-Expiry': expiry, ...others } = given(half)
    t.same(others, { 'Nmqtt-Pub': ['1'], 'Nmqtt-Content-Type': ['text/plain'] })
    const left = Number(expiry?.[0])
    t.ok(left <= 500 && left > 300, `${left} s are left`)
    t.same(given(never), { 'Nmqtt-Pub': ['1'] })
    await eventually(async () => {
      const info = await host.gateway.durables.inspect(queue)
      return info !== null && info.waiting + info.claimed + info.parked === 0
    }, 'nothing is left')
  })

  t.test('a NATS client says how long its message may wait', async (t) => {
    const { queue, root } = fresh()
    const host = await setting.start(t)
    await registered(t, host, `${root}.>`, queue)
    await addOffline(host.broker, `away-${root}`, `${root}/#`)
    const service = await nats(t, host.natsUrl)
    const sent = headers()
    sent.append('Nmqtt-QoS', '1')
    sent.append('Nmqtt-Expiry', '600')
    const before = Date.now()
    service.publish(`${root}.a`, 'x', { headers: sent })
    await service.flush()
    const { persistence } = host.broker as unknown as { persistence: { outgoingStream (client: { id: string }): AsyncIterable<PublishPacket> } }
    for await (const { messageExpiry = 0 } of persistence.outgoingStream({ id: `away-${root}` })) t.ok(messageExpiry >= before + 600_000 && messageExpiry <= Date.now() + 600_000)
    const [message] = await take(service.subscribe(`${root}.>`, { queue }), 1)
    const left = Number(message?.headers?.get('Nmqtt-Expiry'))
    t.ok(left <= 600 && left > 500, `${left} s are left`)
  })

  if (setting.mqtt5) {
    t.test('properties of an MQTT 5 client reach a member', async (t) => {
      const { queue, root } = fresh()
      const host = await setting.start(t)
      await registered(t, host, `${root}.>`, queue)
      const device = await connectMqtt(t, host.mqttUrl, { protocolVersion: 5 })
      await device.publish(`${root}/a`, 'x', {
        qos: 2,
        properties: { contentType: 'text/plain', correlationData: Buffer.from([0, 255]), payloadFormatIndicator: true, responseTopic: 'r/1', userProperties: { A: ['1', '2'], 'für mich': 'ä' } }
      })
      const service = await nats(t, host.natsUrl)
      const [message] = await take(service.subscribe(`${root}.>`, { queue }), 1)
      t.same(given(message), {
        'Nmqtt-Pub': ['2'], 'Nmqtt-Content-Type': ['text/plain'], 'Nmqtt-Correlation-Data': ['AP8='], 'Nmqtt-Payload-Format': ['1'], 'Nmqtt-Reply': ['_MQTT_REPLY.AP8.r.1'], A: ['1', '2'], 'f%C3%BCr%20mich': ['ä']
      })
    })
  }

  const { redisPort } = setting
  if (redisPort !== null) {
    t.test('what is stored of a NATS message is what aedes-persistence-redis would store, with its client', async (t) => {
      const { root } = fresh()
      const host = await setting.start(t)
      await addOffline(host.broker, `away-${root}`, `${root}/#`)
      const client = await connectRaw(t, host.natsPort)
      const header = 'NATS/1.0\r\nNmqtt-QoS: 2\r\nNmqtt-Expiry: 60\r\nA: 1\r\nA: 2\r\nB: \xc3\xa4\r\n\r\n'
      client.send(`HPUB ${root}.a some.reply ${header.length} ${header.length + 1}\r\n${header}x\r\n`)
      await client.fence()
      const redis = connectTo(t, redisPort)
      const [key = ''] = await redis.lrange(`outgoing:away-${root}`, 0, -1)
      const bytes = await redis.getBuffer(key) as Buffer
      const packet = msgpack.decode(bytes)
      t.match(packet, { topic: `${root}/a`, qos: 2, clientId: /^nats:[0-9a-f]{24}$/, properties: { responseTopic: 'some/reply', messageExpiryInterval: 60, userProperties: { A: ['1', '2'], B: 'ä' } } })
      t.notOk('natsHeader' in packet)
      t.ok((packet.messageExpiry as number) > Date.now())
      t.same(encodePacket(packet), bytes)
    })
  }
}

t.test('durable groups and what messages carry', async (t) => {
  for (const setting of await settings(t)) t.test(setting.name, async (t) => { suite(t, setting) })
})
