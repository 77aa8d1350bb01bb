import t, { type Test } from 'tap'
import type { IClientOptions } from 'mqtt'
import { connectMqtt, type MqttPeer } from '../helper/mqtt.ts'
import { connectNats } from '../helper/nats.ts'
import { startRedis } from '../helper/processes.ts'
import type { MqttVersion } from '../helper/raw-mqtt.ts'
import { crossings, type Ground, inMemory, leave, onRedis, speaking, withQos } from './grounds.ts'

// Several subscriptions that match one message.

type Qos = 0 | 1 | 2

/** Subscriptions of one MQTT client, in the order in which it makes them. */
const overlaps: readonly (readonly (readonly [filter: string, qos: Qos])[])[] = [
  [['a/#', 0], ['a/+', 0], ['a/b', 0]],
  [['a/#', 1], ['a/+', 1], ['a/b', 1]],
  [['a/b', 2], ['a/+', 2], ['a/#', 2], ['#', 2], ['+/b', 2]],
  [['a/#', 0], ['a/+', 1], ['a/b', 2]],
  [['a/b', 0], ['a/+', 1], ['a/#', 2]],
  [['a/b', 2], ['a/#', 0], ['a/+', 1]],
  [['#', 1], ['a/b', 0]],
  [['+/b', 0], ['#', 2]]
]

interface Arrival { readonly topic: string, readonly qos: number, readonly text: string }

async function arrivals (peer: MqttPeer): Promise<Arrival[]> {
  return (await peer.takeUntil('the/end')).map(({ topic, qos, payload }) => ({ topic, qos, text: payload.toString() }))
}

/** What comes of a message of NATS is what comes of the same message of an MQTT client. */
async function checkOverlaps (t: Test, ground: Ground, protocolVersion: MqttVersion): Promise<void> {
  const device = await connectMqtt(t, ground.otherMqttUrl, speaking(protocolVersion))
  const service = await connectNats(t, ground.natsUrl)
  for (const subscriptions of overlaps) {
    const peer = await connectMqtt(t, ground.mqttUrl, speaking(protocolVersion))
    for (const [filter, qos] of subscriptions) await peer.subscribe(filter, { qos })
    // mqtt.js hands on a message of QoS 2 at its PUBREL, behind one of QoS 1 that came later.
    await peer.subscribe('the/end', { qos: 2 })
    for (const qos of [0, 1, 2] as const) {
      const name = `${subscriptions.map((each) => each.join(' at QoS ')).join(', ')}; published at QoS ${qos}`
      for (const text of ['1', '2', '3']) await device.publish('a/b', text, { qos })
      await device.publish('the/end', '', { qos })
      const ofMqtt = await arrivals(peer)
      for (const text of ['1', '2', '3']) await service.publish('a.b', text, withQos(qos))
      await service.publish('the.end', '', withQos(qos))
      const ofNats = await arrivals(peer)
      t.strictSame(ofNats, ofMqtt, name)
      t.strictSame(ofNats.map(({ text }) => text), ['1', '2', '3'], `${name}: once`)
    }
    await peer.client.endAsync()
  }
}

/** The same for a session that is away: here Aedes stores a message for each filter that matches it. */
async function checkStored (t: Test, ground: Ground, protocolVersion: MqttVersion): Promise<void> {
  const device = await connectMqtt(t, ground.otherMqttUrl, speaking(protocolVersion))
  const service = await connectNats(t, ground.natsUrl, { verbose: true })
  const session: IClientOptions = { ...speaking(protocolVersion), clean: false, ...protocolVersion === 5 ? { properties: { sessionExpiryInterval: 3600 } } : {} }

  const watcher = await connectMqtt(t, ground.mqttUrl)
  await watcher.subscribe('#')

  /** What a session gets on its return, of what was published while it was away. Each time it is another session. */
  async function awayFor (clientId: string, subscriptions: typeof overlaps[number], publish: (topic: string, text: string) => Promise<void>): Promise<Arrival[]> {
    const peer = await connectMqtt(t, ground.mqttUrl, { ...session, clientId })
    for (const [filter, qos] of subscriptions) await peer.subscribe(filter, { qos })
    await peer.subscribe('the/end', { qos: 1 })
    await leave(ground, peer)
    const stored = subscriptions.filter(([, qos]) => qos > 0)
    await ground.stored('the/end', 1 + stored.filter(([filter]) => filter === '#').length)
    await ground.stored('a/b', stored.length)
    for (const [topic, text] of [['a/b', '1'], ['a/b', '2'], ['a/b', '3'], ['the/end', '']] as const) {
      await publish(topic, text)
      // An MQTT client is answered before its message is stored, so the copies of several could mix. And what comes while
      // a session comes back Aedes would send before its CONNACK, which mqtt.js does not take.
      await watcher.take()
    }
    const back = await connectMqtt(t, ground.mqttUrl, { ...session, clientId })
    const got = await arrivals(back)
    await leave(ground, back)
    await leave(ground, await connectMqtt(t, ground.mqttUrl, { ...speaking(protocolVersion), clientId }))
    await ground.stored('the/end', 0)
    return got
  }

  for (const [i, subscriptions] of overlaps.entries()) {
    const ofMqtt = await awayFor(`m${i}`, subscriptions, (topic, text) => device.publish(topic, text, { qos: 1 }))
    const ofNats = await awayFor(`n${i}`, subscriptions, (topic, text) => service.publish(topic.replace('/', '.'), text))
    const name = subscriptions.map((each) => each.join(' at QoS ')).join(', ')
    t.strictSame(ofNats, ofMqtt, name)
    t.strictSame([...new Set(ofNats.map(({ text }) => text))], subscriptions.some(([, qos]) => qos > 0) ? ['1', '2', '3'] : [], `${name}: none missing`)
  }
}

/** Each NATS subscription gets each MQTT message once; each queue group, by its name, once over all its filters. */
async function checkNats (t: Test, ground: Ground, protocolVersion: MqttVersion): Promise<void> {
  const [one, two] = [await connectNats(t, ground.natsUrl), await connectNats(t, ground.natsUrl)]
  const plain = ['>', 'a.>', 'a.*', '*.b', '*.*', 'a.b', 'a.b']
  for (const [client, peer] of [['one', one], ['two', two]] as const) {
    for (const [i, filter] of plain.entries()) await peer.subscribe(filter, { by: `${client}, ${filter}, ${i}` })
    for (const filter of ['a.>', 'a.*', 'a.b', '>', '*.b']) {
      await peer.subscribe(filter, { queue: 'red', by: 'red' })
      await peer.subscribe(filter, { queue: 'blue', by: 'blue' })
    }
    await peer.subscribe('a.other', { queue: 'red', by: 'not this' })
    await peer.subscribe('the.end')
  }
  const device = await connectMqtt(t, ground.mqttUrl, speaking(protocolVersion))
  for (const qos of [0, 1, 2] as const) {
    const texts = Array.from({ length: 20 }, (_, i) => `${qos}.${i}`)
    for (const text of texts) await device.publish('a/b', text, { qos })
    await device.publish('the/end', '', { qos })
    const got = [...await one.takeUntil('the.end'), ...await two.takeUntil('the.end')].map(({ by, subject, text }) => `${by}: ${subject}: ${text}`).sort()
    const by = ['one', 'two'].flatMap((client) => plain.map((filter, i) => `${client}, ${filter}, ${i}`)).concat('red', 'blue')
    t.strictSame(got, by.flatMap((each) => texts.map((text) => `${each}: a.b: ${text}`)).sort(), `QoS ${qos}`)
  }
}

const checks = {
  'an MQTT client gets of NATS what it gets of MQTT': checkOverlaps,
  'a session that was away gets of NATS what it gets of MQTT': checkStored,
  'NATS subscriptions get each message of MQTT once': checkNats
}

t.test('overlapping subscriptions', async (t) => {
  const redis = await startRedis(t)
  for (const { title, create, protocolVersion } of crossings) {
    for (const [name, check] of Object.entries(checks)) {
      t.test(`${title}: ${name}, in memory`, async (t) => { await check(t, await inMemory(t, create), protocolVersion) })
      if (protocolVersion !== 4) continue
      t.test(`${title}: ${name}, on Redis`, async (t) => { await check(t, await onRedis(t, redis.port, create), protocolVersion) })
      t.test(`${title}: ${name}, on Redis in batches`, async (t) => { await check(t, await onRedis(t, redis.port, create, { redis: { url: redis.url } }), protocolVersion) })
    }
  }
})
