import t, { type Test } from 'tap'
import { connectMqtt } from '../helper/mqtt.ts'
import { connectNats, type NatsPeer } from '../helper/nats.ts'
import { startRedis } from '../helper/processes.ts'
import { connectRaw, type MqttVersion, type RawMqtt } from '../helper/raw-mqtt.ts'
import { crossings, type Ground, inMemory, onRedis, speaking, withQos } from './grounds.ts'

// Exactly once, as far as NATS knows it.

const subscriptions = ['exact.>', 'exact.*', 'exact.x'] as const

async function listen (t: Test, ground: Ground): Promise<NatsPeer> {
  const nats = await connectNats(t, ground.natsUrl)
  for (const filter of subscriptions) await nats.subscribe(filter)
  for (const by of ['one', 'two']) await nats.subscribe('exact.x', { by })
  // Three members of a group, over two filters.
  for (const filter of ['exact.x', 'exact.x', 'exact.*']) await nats.subscribe(filter, { queue: 'group', by: 'group' })
  await nats.subscribe('the.end')
  return nats
}

/** Each text once to each subscription, and once to the group. */
function eachOnce (texts: readonly string[]): string[] {
  return [...subscriptions, 'one', 'two', 'group'].flatMap((by) => texts.map((text) => `${by}: ${text}`)).sort()
}

async function gotBefore (nats: NatsPeer, end: () => Promise<unknown>): Promise<string[]> {
  await end()
  return (await nats.takeUntil('the.end')).map(({ by, text }) => `${by}: ${text}`).sort()
}

async function checkClients (t: Test, ground: Ground, protocolVersion: MqttVersion): Promise<void> {
  const nats = await listen(t, ground)
  const device = await connectMqtt(t, ground.mqttUrl, speaking(protocolVersion))
  const texts = Array.from({ length: 50 }, (_, i) => String(i))
  // Several at a time are under way.
  await Promise.all(texts.map((text) => device.publish('exact/x', text, { qos: 2 })))
  t.strictSame(await gotBefore(nats, () => device.publish('the/end', '', { qos: 2 })), eachOnce(texts))
}

function publish (messageId: number, text: string, more: object = {}): object {
  return { cmd: 'publish', topic: 'exact/x', payload: text, qos: 2, messageId, retain: false, dup: false, ...more }
}

/** A packet, and the answer to it with its message id. */
async function exchange (device: RawMqtt, packet: object, answer: 'pubrec' | 'pubcomp'): Promise<void> {
  device.send(packet)
  const { messageId } = packet as { messageId: number }
  const answered = await device.take(answer)
  if (answered.messageId !== messageId) throw new Error(`${answer} for ${answered.messageId}, not for ${messageId}`)
}

async function checkSentAgain (t: Test, ground: Ground, protocolVersion: MqttVersion): Promise<void> {
  const nats = await listen(t, ground)
  const device = await connectRaw(t, ground.mqttPort, protocolVersion)
  const end = async (): Promise<void> => { await exchange(device, { ...publish(9, ''), topic: 'the/end' }, 'pubrec').then(() => exchange(device, { cmd: 'pubrel', messageId: 9 }, 'pubcomp')) }
  await exchange(device, publish(1, 'first'), 'pubrec')
  await exchange(device, publish(1, 'first', { dup: true }), 'pubrec')
  await exchange(device, publish(1, 'first', { dup: true }), 'pubrec')
  t.strictSame(await gotBefore(nats, end), eachOnce(['first']), 'PUBLISH again')
  await exchange(device, { cmd: 'pubrel', messageId: 1 }, 'pubcomp')
  await exchange(device, { cmd: 'pubrel', messageId: 1 }, 'pubcomp')
  t.strictSame(await gotBefore(nats, end), [], 'PUBREL, and again')
  await exchange(device, publish(1, 'second'), 'pubrec')
  await exchange(device, { cmd: 'pubrel', messageId: 1 }, 'pubcomp')
  t.strictSame(await gotBefore(nats, end), eachOnce(['second']), 'the id is free for another message')
}

/** A session that dies between PUBLISH and PUBREL, and comes back, at the other node where there is one. */
async function checkComesBack (t: Test, ground: Ground, protocolVersion: MqttVersion): Promise<void> {
  const nats = await listen(t, ground)
  const session = { clientId: 'session', clean: false, ...protocolVersion === 5 ? { properties: { sessionExpiryInterval: 3600 } } : {} }
  const device = await connectRaw(t, ground.mqttPort, protocolVersion, session)
  await exchange(device, publish(1, 'x'), 'pubrec')
  await exchange(device, publish(2, 'y'), 'pubrec')
  const gone = ground.disconnected('session')
  device.destroy()
  await gone
  const back = await connectRaw(t, ground.otherMqttPort, protocolVersion, session)
  await exchange(back, publish(1, 'x', { dup: true }), 'pubrec')
  await exchange(back, { cmd: 'pubrel', messageId: 1 }, 'pubcomp')
  await exchange(back, { cmd: 'pubrel', messageId: 2 }, 'pubcomp')
  await exchange(back, publish(1, 'z'), 'pubrec')
  await exchange(back, { cmd: 'pubrel', messageId: 1 }, 'pubcomp')
  t.strictSame(await gotBefore(nats, () => exchange(back, { ...publish(9, ''), topic: 'the/end' }, 'pubrec')), eachOnce(['x', 'y', 'z']))
}

async function checkFromNats (t: Test, ground: Ground, protocolVersion: MqttVersion): Promise<void> {
  const device = await connectMqtt(t, ground.mqttUrl, speaking(protocolVersion))
  await device.subscribe(['exact/x', 'the/end'], { qos: 2 })
  const texts = Array.from({ length: 50 }, (_, i) => String(i))
  for (const [how, verbose, options, qos] of [['plain', false, {}, 0], ['verbose', true, {}, 1], ['by header', false, withQos(2), 2], ['verbose, by header', true, withQos(2), 2]] as const) {
    const nats = await connectNats(t, ground.natsUrl, { verbose })
    for (const text of texts) nats.nats.publish('exact.x', text, options)
    await nats.publish('the.end', '', options)
    const got = await device.takeUntil('the/end')
    t.strictSame(got.map(({ payload }) => payload.toString()), texts, `${how}: each once, in order`)
    t.ok(got.every((message) => message.qos === qos))
  }
}

const checks = {
  'MQTT publishes, with mqtt.js': checkClients,
  'PUBLISH and PUBREL are sent again': checkSentAgain,
  'a publisher dies in between and comes back': checkComesBack,
  'NATS publishes to a subscription of QoS 2': checkFromNats
}

t.test('QoS 2', async (t) => {
  const redis = await startRedis(t)
  for (const { title, create, protocolVersion } of crossings) {
    for (const [name, check] of Object.entries(checks)) {
      t.test(`${title}: ${name}, in memory`, async (t) => { await check(t, await inMemory(t, create), protocolVersion) })
      t.test(`${title}: ${name}, on Redis`, async (t) => { await check(t, await onRedis(t, redis.port, create), protocolVersion) })
    }
  }
})
