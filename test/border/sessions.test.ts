import t, { type Test } from 'tap'
import type { IClientOptions } from 'mqtt'
import { until } from '../helper/links.ts'
import { connectMqtt, type MqttPeer } from '../helper/mqtt.ts'
import { connectNats, type NatsPeer } from '../helper/nats.ts'
import { startRedis } from '../helper/processes.ts'
import { connectRaw, type MqttVersion } from '../helper/raw-mqtt.ts'
import { crossings, type Ground, inMemory, leave, onRedis, speaking, withQos } from './grounds.ts'

// MQTT sessions that are away while NATS publishes.

const count = 200
const numbers = Array.from({ length: count }, (_, i) => String(i))

function kept (protocolVersion: MqttVersion, clientId: string): IClientOptions {
  return { ...speaking(protocolVersion), clientId, clean: false, ...protocolVersion === 5 ? { properties: { sessionExpiryInterval: 3600 } } : {} }
}

/**
 * Subscribes to filters one by one: over mqemitter-redis Aedes never answers a session's SUBSCRIBE of several, since
 * aedes-persistence keeps one of the promises that wait for them (broadcastPersistence.js #waitFor).
 */
async function subscribe (peer: MqttPeer, filters: readonly string[], qos: 0 | 1 | 2 = 1): Promise<void> {
  for (const filter of filters) await peer.subscribe(filter, { qos })
}

/**
 * Publishes while a session is away: resolves once the broker of the session has had it all. Aedes would send what comes
 * while a session comes back before its CONNACK, which mqtt.js does not take.
 */
async function publishAway (t: Test, ground: Ground, peer: NatsPeer, subject: string, texts: readonly string[], options = {}): Promise<void> {
  const watcher = await connectMqtt(t, ground.mqttUrl)
  await watcher.subscribe('#')
  for (const text of texts) peer.nats.publish(subject, text, options)
  await peer.nats.flush()
  await watcher.take(texts.length)
  await watcher.client.endAsync()
}

function texts (messages: readonly { payload: Buffer }[]): string[] {
  return messages.map(({ payload }) => payload.toString())
}

async function checkAway (t: Test, ground: Ground, protocolVersion: MqttVersion): Promise<void> {
  const acknowledging = await connectNats(t, ground.natsUrl, { verbose: true })
  const hasty = await connectNats(t, ground.natsUrl)
  const back = (id: string): Promise<MqttPeer> => connectMqtt(t, ground.mqttUrl, kept(protocolVersion, id))
  const qosOf = { zero: 0, one: 1, two: 2 } as const
  for (const [id, qos] of Object.entries(qosOf)) {
    const peer = await back(id)
    await subscribe(peer, ['kept/#', `${id}/end`], qos)
    await leave(ground, peer)
  }
  const clean = await connectMqtt(t, ground.mqttUrl, { ...speaking(protocolVersion), clientId: 'clean' })
  await clean.subscribe('kept/#')
  await leave(ground, clean)
  await ground.stored('kept/x', 2)

  await publishAway(t, ground, hasty, 'kept.hasty', ['QoS 0'])
  await publishAway(t, ground, acknowledging, 'kept.x', numbers)
  await publishAway(t, ground, hasty, 'kept.hasty', ['QoS 0'])
  await publishAway(t, ground, hasty, 'kept.header', ['QoS 2'], withQos(2))

  for (const id of ['one', 'two']) {
    const peer = await back(id)
    const messages = await peer.take(count)
    t.match(await peer.take(), [{ topic: 'kept/header', payload: Buffer.from('QoS 2') }])
    t.strictSame(texts(messages), numbers, `${id}: all, in order`)
    t.ok(messages.every(({ topic, qos }) => topic === 'kept/x' && qos === 1))
    await acknowledging.publish(`${id}.end`, '')
    t.strictSame(await peer.takeUntil(`${id}/end`), [], `${id}: each once, and nothing of QoS 0`)
    await leave(ground, peer)
    const again = await back(id)
    await acknowledging.publish(`${id}.end`, '')
    t.strictSame(await again.takeUntil(`${id}/end`), [], `${id}: not when it comes again`)
    await leave(ground, again)
  }
  const zero = await back('zero')
  await hasty.publish('zero.end', '')
  t.strictSame(await zero.takeUntil('zero/end'), [], 'nothing waits for a subscription of QoS 0')
  const cleanAgain = await connectMqtt(t, ground.mqttUrl, { ...speaking(protocolVersion), clientId: 'clean' })
  await cleanAgain.subscribe('clean/end')
  await acknowledging.publish('clean.end', '')
  t.strictSame(await cleanAgain.takeUntil('clean/end'), [], 'nothing waits for a clean session')
  await acknowledging.publish('kept.x', 'later')
  await hasty.publish('clean.end', '')
  t.strictSame(await cleanAgain.takeUntil('clean/end'), [], 'whose subscriptions are gone')
}

async function checkPresent (t: Test, ground: Ground, protocolVersion: MqttVersion): Promise<void> {
  const acknowledging = await connectNats(t, ground.natsUrl, { verbose: true })
  const session = kept(protocolVersion, 'present')
  const peer = await connectMqtt(t, ground.mqttUrl, session)
  await subscribe(peer, ['kept/#', 'the/end'])
  await ground.stored('kept/x', 1)
  for (const text of numbers) acknowledging.nats.publish('kept.x', text)
  t.strictSame(texts(await peer.take(count)), numbers)
  // Behind the last PUBACK.
  await peer.publish('else', '')
  await leave(ground, peer)
  const again = await connectMqtt(t, ground.mqttUrl, session)
  await acknowledging.publish('the.end', '')
  t.strictSame(await again.takeUntil('the/end'), [], 'what was acknowledged does not come again')
}

/** A session that dies before it acknowledges. */
async function checkUnacknowledged (t: Test, ground: Ground, protocolVersion: MqttVersion): Promise<void> {
  const acknowledging = await connectNats(t, ground.natsUrl, { verbose: true })
  const session = { clientId: 'dying', clean: false, ...protocolVersion === 5 ? { properties: { sessionExpiryInterval: 3600 } } : {} }
  const dying = await connectRaw(t, ground.mqttPort, protocolVersion, session)
  dying.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'kept/#', qos: 1 }] })
  await dying.take('suback')
  await ground.stored('kept/x', 1)
  for (const text of ['1', '2', '3']) await acknowledging.publish('kept.x', text)
  for (const text of ['1', '2', '3']) t.match(await dying.take('publish'), { topic: 'kept/x', qos: 1, payload: Buffer.from(text) })
  const gone = ground.disconnected('dying')
  dying.destroy()
  await gone
  await publishAway(t, ground, acknowledging, 'kept.x', ['4'])
  const again = await connectMqtt(t, ground.mqttUrl, kept(protocolVersion, 'dying'))
  t.strictSame(texts(await again.take(4)), ['1', '2', '3', '4'])
}

/** Where a subscription ends while the session is away, or the session. */
async function checkForgotten (t: Test, ground: Ground, protocolVersion: MqttVersion): Promise<void> {
  const acknowledging = await connectNats(t, ground.natsUrl, { verbose: true })
  const session = kept(protocolVersion, 'forgotten')
  const peer = await connectMqtt(t, ground.mqttUrl, session)
  await subscribe(peer, ['kept/#', 'other/#'])
  await peer.client.unsubscribeAsync('other/#')
  await leave(ground, peer)
  await ground.stored('kept/x', 1)
  await ground.stored('other/x', 0)
  await publishAway(t, ground, acknowledging, 'other.x', ['1'])
  await publishAway(t, ground, acknowledging, 'kept.x', ['2'])
  const back = await connectMqtt(t, ground.mqttUrl, session)
  t.strictSame(texts(await back.take()), ['2'])
  await leave(ground, back)

  await publishAway(t, ground, acknowledging, 'kept.x', ['3'])
  const fresh = await connectMqtt(t, ground.mqttUrl, { ...session, clean: true })
  await until(() => fresh.client.connected)
  await ground.stored('kept/x', 0)
  await fresh.subscribe('the/end')
  await acknowledging.publish('the.end', '')
  t.strictSame(await fresh.takeUntil('the/end'), [], 'a clean start ends the session')
}

const checks = {
  'what a session that is away asked for comes when it is back': checkAway,
  'what a session that is there has acknowledged does not come again': checkPresent,
  'what a session did not acknowledge comes again': checkUnacknowledged,
  'what a session does not ask for any more does not come': checkForgotten
}

t.test('sessions', async (t) => {
  const redis = await startRedis(t)
  for (const { title, create, protocolVersion } of crossings) {
    for (const [name, check] of Object.entries(checks)) {
      t.test(`${title}: ${name}, in memory`, async (t) => { await check(t, await inMemory(t, create), protocolVersion) })
      t.test(`${title}: ${name}, on Redis`, async (t) => { await check(t, await onRedis(t, redis.port, create), protocolVersion) })
      if (protocolVersion !== 4) continue
      t.test(`${title}: ${name}, on Redis in batches`, async (t) => { await check(t, await onRedis(t, redis.port, create, { redis: { url: redis.url } }), protocolVersion) })
    }
  }
})
