import t, { type Test } from 'tap'
import type { IClientOptions } from 'mqtt'
import type { GatewayOptions } from '../../lib/index.ts'
import { versions } from '../helper/brokers.ts'
import { connectMqtt, type MqttPeer } from '../helper/mqtt.ts'
import { connectNats, type NatsPeer } from '../helper/nats.ts'
import { startRedis } from '../helper/processes.ts'
import { connectTo } from '../helper/redis-brokers.ts'
import { startRedisHost } from '../helper/redis-nodes.ts'
import { crossings, cut, type Ground, inMemory, leave, onRedis, speaking } from './grounds.ts'

// What a device leaves behind when it goes without a word.

type Will = NonNullable<IClientOptions['will']>

interface Scene {
  readonly ground: Ground
  readonly nats: NatsPeer
  readonly mqtt: MqttPeer
  readonly connectDevice: (options: IClientOptions) => Promise<MqttPeer>
  /** What NATS and MQTT have got so far, since the last time. */
  readonly got: () => Promise<{ nats: string[], mqtt: string[] }>
}

async function setScene (t: Test, ground: Ground, protocolVersion: 3 | 4 | 5): Promise<Scene> {
  const nats = await connectNats(t, ground.natsUrl)
  await nats.subscribe('gone.>')
  await nats.subscribe('the.end')
  const mqtt = await connectMqtt(t, ground.mqttUrl, speaking(protocolVersion))
  await mqtt.subscribe(['gone/#', 'the/end'], { qos: 2 })
  const marker = await connectMqtt(t, ground.mqttUrl)
  await marker.publish('the/kept', 'x', { qos: 2, retain: true })
  return {
    ground,
    nats,
    mqtt,
    connectDevice: (options) => connectMqtt(t, ground.mqttUrl, { ...speaking(protocolVersion), clientId: 'device', ...options }),
    got: async () => {
      // With QoS 1 and 0, since each is in order only with itself.
      await marker.publish('the/end', '', { qos: 1 })
      const [one, other] = [await nats.takeUntil('the.end'), await mqtt.takeUntil('the/end')]
      await marker.publish('the/end', '', { qos: 0 })
      const ofNats = [...one, ...await nats.takeUntil('the.end')]
      const ofMqtt = [...other, ...await mqtt.takeUntil('the/end')]
      return {
        nats: ofNats.map(({ subject, text }) => `${subject}: ${text}`),
        mqtt: ofMqtt.map(({ topic, payload }) => `${topic}: ${payload.toString()}`)
      }
    }
  }
}

async function checkWills (t: Test, ground: Ground, protocolVersion: 3 | 4 | 5): Promise<void> {
  const { nats, mqtt, connectDevice, got } = await setScene(t, ground, protocolVersion)
  for (const qos of [0, 1, 2] as const) {
    for (const retain of [false, true]) {
      const what = `QoS ${qos}${retain ? ', retained' : ''}`
      const topic = `gone/v1.${qos}/room ${retain ? 1 : 0}`
      const subject = `gone.v1//${qos}.room/20${retain ? 1 : 0}`
      const will: Will = { topic, payload: Buffer.from(what), qos, retain }

      await leave(ground, await connectDevice({ will }))
      t.strictSame(await got(), { nats: [], mqtt: [] }, `${what}: nothing after a DISCONNECT`)

      await cut(ground, await connectDevice({ will }))
      // A retained one is stored first, so what comes next may overtake it.
      while (nats.received.length === 0 || mqtt.received.length === 0) await new Promise((resolve) => { setImmediate(resolve) })
      t.strictSame(await got(), { nats: [`${subject}: ${what}`], mqtt: [`${topic}: ${what}`] }, `${what}: once`)

      const late = await connectMqtt(t, ground.mqttUrl, speaking(protocolVersion))
      // Retained messages come in the order of the filters.
      await late.subscribe([topic, 'the/kept'])
      t.strictSame((await late.takeUntil('the/kept')).map(({ payload, retain }) => [payload.toString(), retain]), retain ? [[what, true]] : [], `${what}: kept for MQTT clients if it asks for that`)
    }
  }
}

async function checkTakeover (t: Test, ground: Ground, protocolVersion: 3 | 4 | 5): Promise<void> {
  const { nats, mqtt, connectDevice, got } = await setScene(t, ground, protocolVersion)
  await connectDevice({ will: { topic: 'gone/device', payload: Buffer.from('first'), qos: 1, retain: false } })
  const second = await connectDevice({ will: { topic: 'gone/device', payload: Buffer.from('second'), qos: 1, retain: false } })
  await Promise.all([nats.take(), mqtt.take()]).then(([[one], [other]]) => { t.strictSame([one?.text, other?.payload.toString()], ['first', 'first']) })
  await leave(ground, second)
  t.strictSame(await got(), { nats: [], mqtt: [] })
}

async function checkRefusal (t: Test, ground: Ground, protocolVersion: 3 | 4 | 5): Promise<void> {
  const { connectDevice, got } = await setScene(t, ground, protocolVersion)
  ground.mqttBroker.authorizePublish = (_client, packet, done) => { done(packet.topic.startsWith('gone/secret') ? new Error('not there') : null) }
  const [refused, granted] = await Promise.all(['secret', 'open'].map((name) => connectDevice({
    clientId: name, will: { topic: `gone/${name}`, payload: Buffer.from(name), qos: 1, retain: false }
  })))
  await cut(ground, refused as MqttPeer)
  await cut(ground, granted as MqttPeer)
  t.strictSame(await got(), { nats: ['gone.open: open'], mqtt: ['gone/open: open'] })
}

async function checkMqtt5 (t: Test, ground: Ground): Promise<void> {
  const { nats, mqtt, connectDevice, got } = await setScene(t, ground, 5)
  const userProperties = { place: ['roof', 'cellar'], Kind: 'of: é' }
  const will: Will = { topic: 'gone/device', payload: Buffer.from('away'), qos: 1, retain: false, properties: { userProperties, contentType: 'text/plain' } }
  await cut(ground, await connectDevice({ will }))
  const [seen] = await mqtt.take()
  t.match(seen, { topic: 'gone/device', properties: { contentType: 'text/plain' } })
  t.same(seen?.properties?.['userProperties'], userProperties)
  const [told] = await nats.take()
  t.match(told, { subject: 'gone.device', text: 'away' })
  t.strictSame([...told?.headers ?? []], [['Nmqtt-Pub', ['1']], ['Nmqtt-Content-Type', ['text/plain']], ['place', ['roof', 'cellar']], ['Kind', ['of: é']]])
  t.strictSame(await got(), { nats: [], mqtt: [] })

  const noticed = ground.disconnected('device')
  await (await connectDevice({ will })).client.endAsync(false, { reasonCode: 4 })
  await noticed
  t.strictSame(await got(), { nats: ['gone.device: away'], mqtt: ['gone/device: away'] }, 'a DISCONNECT that asks for the will')

  const delayed = await connectDevice({ clean: false, properties: { sessionExpiryInterval: 60 }, will: { ...will, payload: Buffer.from('late'), properties: { willDelayInterval: 60 } } })
  await cut(ground, delayed)
  t.strictSame(await got(), { nats: [], mqtt: [] }, 'a will that is to come later')
  await leave(ground, await connectDevice({ clean: false, properties: { sessionExpiryInterval: 60 } }))
  t.strictSame(await got(), { nats: [], mqtt: [] }, 'and not when the client is back before')
  await cut(ground, await connectDevice({ clean: false, properties: { sessionExpiryInterval: 60 }, will: { ...will, payload: Buffer.from('soon'), properties: { willDelayInterval: 1 } } }))
  t.match(await nats.take(), [{ subject: 'gone.device', text: 'soon' }])
  t.match(await mqtt.take(), [{ topic: 'gone/device', payload: Buffer.from('soon') }])
  t.strictSame(await got(), { nats: [], mqtt: [] })
}

/** What Aedes does for the clients of a broker that is gone, on those that are left. */
async function checkOrphans (t: Test, port: number, create: typeof versions[number]['create']): Promise<void> {
  await connectTo(t, port).flushall()
  const start = (): ReturnType<typeof startRedisHost> => startRedisHost(t, port, { create, aedes: { heartbeatInterval: 50 } })
  const elder = await start()
  const younger = await start()
  const nats = await connectNats(t, elder.natsUrl)
  await nats.subscribe('gone.>')
  const mqtt = await connectMqtt(t, elder.mqttUrl)
  await mqtt.subscribe('gone/#')
  const publisher = await connectMqtt(t, younger.mqttUrl)
  await publisher.publish('gone/before', '')
  await Promise.all([nats.take(), mqtt.take()])
  // As Aedes keeps them at CONNECT.
  const { persistence } = younger.broker as unknown as { persistence: { putWill (client: object, will: object): Promise<unknown> } }
  for (const qos of [0, 1]) await persistence.putWill({ id: `device ${qos}` }, { cmd: 'publish', topic: 'gone/device', payload: Buffer.from(`QoS ${qos}`), qos, retain: false })
  await younger.gateway.close()
  await new Promise<void>((resolve) => { younger.broker.close(resolve) })
  t.strictSame((await nats.take(2)).map(({ text }) => text).sort(), ['QoS 0', 'QoS 1'])
  t.strictSame((await mqtt.take(2)).map(({ payload }) => payload.toString()).sort(), ['QoS 0', 'QoS 1'])
}

t.test('wills', async (t) => {
  const redis = await startRedis(t)
  for (const { name, create } of versions) {
    t.test(`${name}: wills of clients of a broker that is gone`, async (t) => { await checkOrphans(t, redis.port, create) })
  }
  for (const { title, create, protocolVersion } of crossings) {
    for (const confirm of [false, true]) {
      const nats: GatewayOptions = { confirm }
      const how = confirm ? ', with confirm' : ''
      t.test(`${title}: a will reaches both sides once${how}`, async (t) => { await checkWills(t, await inMemory(t, create, nats), protocolVersion) })
    }
    t.test(`${title}: a client that is taken over leaves its will`, async (t) => { await checkTakeover(t, await inMemory(t, create), protocolVersion) })
    t.test(`${title}: a will is authorized like any publish`, async (t) => { await checkRefusal(t, await inMemory(t, create), protocolVersion) })
    if (protocolVersion === 5) t.test(`${title}: properties, delay, DISCONNECT with will`, async (t) => { await checkMqtt5(t, await inMemory(t, create)) })
    else if (protocolVersion === 4) t.test(`${title}: a will reaches both sides once, over Redis`, async (t) => { await checkWills(t, await onRedis(t, redis.port, create), protocolVersion) })
  }
})
