import { once } from 'node:events'
import t, { type Test } from 'tap'
import { connect as connectNats, headers, type NatsConnection } from '@nats-io/transport-node'
import { connect as connectOlder } from 'nats'
import { type Broker, createGateway } from '../../lib/index.ts'
import { type Host, startBroker, startHost, versions } from '../helper/brokers.ts'
import { connectMqtt, type MqttPeer, type Received } from '../helper/mqtt.ts'
import { startRedis } from '../helper/processes.ts'
import { connect } from '../helper/raw.ts'
import { startRedisHost } from '../helper/redis-nodes.ts'
import { block, hpub, msg } from './frames.ts'

const mqtt5 = { protocolVersion: 5 as const }
const none = 'HMSG inbox 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n'

async function nats (t: Test, url: string, options: object = {}): Promise<NatsConnection> {
  const connection = await connectNats({ servers: url, reconnect: false, ...options })
  t.teardown(() => connection.close())
  return connection
}

/** An MQTT 5 device that answers where it is told to. */
async function device (t: Test, host: { mqttUrl: string }, topic: string): Promise<MqttPeer> {
  const peer = await connectMqtt(t, host.mqttUrl, mqtt5)
  peer.client.on('message', (_, payload, { properties }) => {
    const { responseTopic = '', correlationData } = properties ?? {}
    peer.publish(responseTopic, `did ${String(payload)}`, { qos: 0, properties: correlationData === undefined ? {} : { correlationData } }).catch(t.fail)
  })
  await peer.subscribe(topic)
  return peer
}

/** An MQTT 5 requester that listens where it wants to be answered. */
async function requester (t: Test, host: { mqttUrl: string }): Promise<MqttPeer & { ask: (topic: string, payload: string, correlationData?: Buffer, qos?: 0 | 1) => Promise<void> }> {
  const peer = await connectMqtt(t, host.mqttUrl, mqtt5)
  await peer.subscribe('answers/me')
  const ask = (topic: string, payload: string, correlationData?: Buffer, qos: 0 | 1 = 0): Promise<void> =>
    peer.publish(topic, payload, { qos, properties: { responseTopic: 'answers/me', ...correlationData === undefined ? {} : { correlationData } } })
  return Object.assign(peer, { ask })
}

function correlationOf (message: Received | undefined): Buffer | undefined {
  return message?.properties?.['correlationData'] as Buffer | undefined
}

const everyByte = Buffer.from(Array.from({ length: 1024 }, (_, i) => i % 256))

for (const [name, connectTo] of [['nats.js', connectNats], ['the older nats.js', connectOlder as unknown as typeof connectNats]] as const) {
  t.test(`${name} -> an MQTT 5 device, 100 requests at a time`, async (t) => {
    const host = await startHost(t)
    await device(t, host, 'devices/1/cmd')
    const service = await connectTo({ servers: host.natsUrl })
    t.teardown(() => service.close())
    const texts = Array.from({ length: 100 }, (_, i) => `job ${i}`)
    for (const options of [{}, { noMux: true }]) {
      const answers = await Promise.all(texts.map(async (text) => (await service.request('devices.1.cmd', text, { timeout: 60_000, ...options })).string()))
      t.strictSame(answers, texts.map((text) => `did ${text}`))
    }
    const header = headers()
    header.set('Nmqtt-Correlation-Data', Buffer.from('c').toString('base64'))
    const answer = await service.request('devices.1.cmd', 'x', { timeout: 60_000, headers: header })
    t.equal(answer.headers?.get('Nmqtt-Correlation-Data'), 'Yw==')
  })
}

t.test('an MQTT 5 device -> a NATS service, on any node', async (t) => {
  const { port } = await startRedis(t)
  const nodes = [await startRedisHost(t, port), await startRedisHost(t, port)] as const
  const single = await startHost(t)
  for (const [from, to] of [[single, single], nodes] as [Host, Host][]) {
    const asking = await requester(t, from)
    const service = await nats(t, to.natsUrl)
    const replies: string[] = []
    service.subscribe('service', {
      callback: (_, message) => {
        replies.push(message.reply ?? '')
        message.respond(`answer to ${message.string()}`)
      }
    })
    const witness = await connect(t, to.natsPort)
    witness.send('SUB answers.me 1\r\n')
    await Promise.all([service.flush(), witness.fence()])
    for (const data of [Buffer.of(0), everyByte.subarray(0, 16), everyByte.subarray(240, 256), everyByte]) {
      await asking.ask('service', 'x', data)
      const [answer] = await asking.take()
      t.equal(answer?.topic, 'answers/me')
      t.equal(answer?.payload.toString(), 'answer to x')
      t.strictSame(correlationOf(answer), data)
      t.equal(replies.at(-1), `_MQTT_REPLY.${data.toString('base64url')}.answers.me`)
      await witness.expect(msg('answers.me', '1', 'answer to x', block(`Nmqtt-Correlation-Data: ${data.toString('base64')}`)))
    }
    await asking.ask('service', 'y')
    t.equal(correlationOf((await asking.take())[0]), undefined)
    t.equal(replies.at(-1), 'answers.me', 'without correlation data')
    await witness.expect(msg('answers.me', '1', 'answer to y'))
  }
})

t.test('more correlation data than fits a reply subject is in the header alone, and so is what comes in a long topic', async (t) => {
  const host = await startHost(t)
  const asking = await requester(t, host)
  const client = await connect(t, host.natsPort)
  client.send('SUB service 1\r\n')
  await client.fence()
  const data = Buffer.alloc(1025, 1)
  await asking.ask('service', 'x', data)
  await client.expect(msg('service', '1', 'x', block('Nmqtt-Pub: 0', `Nmqtt-Correlation-Data: ${data.toString('base64')}`), 'answers.me'))
  client.send(hpub('answers.me', block(`Nmqtt-Correlation-Data: ${data.toString('base64')}`), 'z'))
  t.strictSame(correlationOf((await asking.take())[0]), data, 'a service may return it itself')
  for (const [length, reply] of [[3000, 'r'.repeat(3000)], [4001, '']] as const) {
    await asking.publish('service', 'x', { qos: 0, properties: { responseTopic: 'r'.repeat(length), correlationData: everyByte } })
    await client.expect(msg('service', '1', 'x', block('Nmqtt-Pub: 0', `Nmqtt-Correlation-Data: ${everyByte.toString('base64')}`), reply))
    if (reply !== '') client.send(`PUB ${reply} 0\r\n\r\n`)
    t.equal(await client.fence(), '')
  }
})

t.test('nothing is kept between request and answer: the gateway may go and come back', async (t) => {
  const { broker, mqttPort } = await startBroker(t)
  const first = await createGateway(broker as Broker, { host: '127.0.0.1', port: 0 })
  t.teardown(() => first.close())
  const asking = await requester(t, { mqttUrl: `mqtt://127.0.0.1:${mqttPort}` })
  const before = await connect(t, first.port)
  before.send('SUB service 1\r\n')
  await before.fence()
  await asking.ask('service', 'x', everyByte)
  const [, reply] = /^HMSG service 1 (\S+) /.exec(await before.expect(/HMSG [^]*\r\n\r\nx\r\n/)) ?? []
  await first.close()
  await before.end()
  const second = await createGateway(broker as Broker, { host: '127.0.0.1', port: 0 })
  t.teardown(() => second.close())
  const after = await connect(t, second.port)
  after.send(`PUB ${reply} 4\r\nlate\r\n`)
  const [answer] = await asking.take()
  t.equal(answer?.payload.toString(), 'late')
  t.strictSame(correlationOf(answer), everyByte)
})

t.test('through a durable group the reply is in the header Nmqtt-Reply', async (t) => {
  const host = await startHost(t)
  const asking = await requester(t, host)
  const service = await nats(t, host.natsUrl)
  service.subscribe('service', {
    queue: 'acked.service',
    callback: (_, message) => {
      service.publish(message.headers?.get('Nmqtt-Reply') ?? '', 'done')
      message.respond()
    }
  })
  await service.flush()
  await asking.ask('service', 'x', everyByte, 1)
  const [answer] = await asking.take()
  t.equal(answer?.payload.toString(), 'done')
  t.strictSame(correlationOf(answer), everyByte)
})

t.test('authorizePublish sees where the answer goes, and may refuse it', async (t) => {
  const seen: [string, string | undefined][] = []
  const host = await startHost(t, {
    aedes: {
      authorizePublish: (client, packet, done) => {
        if ((client as unknown as { protocol?: string } | null)?.protocol !== 'nats') {
          done(null)
          return
        }
        seen.push([packet.topic, (packet as { properties?: { correlationData?: Buffer } }).properties?.correlationData?.toString()])
        done(packet.payload.toString() === 'no' ? new Error('no') : null)
      }
    }
  })
  const asking = await requester(t, host)
  const client = await connect(t, host.natsPort)
  client.send('PUB _MQTT_REPLY.YWI.answers.me 2\r\nno\r\nPUB _MQTT_REPLY.YWM.answers.me 3\r\nyes\r\n')
  t.equal(await client.fence(), '-ERR \'Permissions Violation for Publish to "answers.me"\'\r\n')
  const [answer] = await asking.take()
  t.equal(answer?.payload.toString(), 'yes')
  t.strictSame(seen, [['answers/me', 'ab'], ['answers/me', 'ac']])
})

t.test('what only looks like such an answer harms nobody', async (t) => {
  const host = await startHost(t)
  const device = await connectMqtt(t, host.mqttUrl, mqtt5)
  await device.subscribe('#')
  const listener = await connect(t, host.natsPort)
  listener.send('SUB > 1\r\n')
  await listener.fence()
  const client = await connect(t, host.natsPort)
  const rows = ['_MQTT_REPLY', '_MQTT_REPLY.QQ', '_MQTT_REPLY.Q.a', '_MQTT_REPLY.Q+.a', '_MQTT_REPLY.QR.a', '_MQTT_REPLY.é.a', '_MQTT_REPLY.QQ.*', '_MQTT_REPLY.QQ.a.>'].map((subject) => Buffer.from(subject).toString('latin1'))
  for (const subject of rows) client.send(`PUB ${subject} 1\r\nx\r\n`)
  for (const subject of ['_MQTT_REPLY.', '_MQTT_REPLY.QQ.', '_MQTT_REPLY..a', '_MQTT_REPLY.QQ..a']) client.send(`PUB ${subject} 1\r\nx\r\n`)
  client.send('PUB _MQTT_REPLY.QQ._GR_.x 1\r\nx\r\nPUB _MQTT_REPLY.QQ.$SYS.x 1\r\nx\r\nPUB end 1\r\nx\r\n')
  t.equal(await client.fence(), '-ERR \'Permissions Violation for Publish to "_GR_.x"\'\r\n-ERR \'Permissions Violation for Publish to "$SYS.x"\'\r\n')
  await listener.expect([...rows, 'end'].map((subject) => msg(subject, '1', 'x')).join(''))
  const topics: string[] = []
  while (topics.at(-1) !== 'end') topics.push((await device.take())[0]?.topic ?? '')
  t.strictSame(topics, ['_MQTT_REPLY', '_MQTT_REPLY/QQ', '_MQTT_REPLY/Q/a', '_MQTT_REPLY/QR/a', '_MQTT_REPLY/é/a', 'end'])
})

for (const { name, create } of versions) {
  t.test(`${name}: who counts as a responder`, async (t) => {
    const host = await startHost(t, { create })
    const client = await connect(t, host.natsPort)
    const qos1 = hpub('a.b', block('Nmqtt-QoS: 1'), 'x', 'inbox')
    const ask = async (text = 'PUB a.b inbox 1\r\nx\r\n'): Promise<string> => {
      client.send(text)
      return await client.fence()
    }
    client.send('SUB inbox 1\r\n')
    t.equal(await ask(), none, 'nobody')
    t.equal(await ask(qos1), none, 'nobody')
    const device = await connectMqtt(t, host.mqttUrl)
    await device.subscribe('a/+')
    t.equal(await ask(), '', 'an MQTT client')
    t.equal(await ask(qos1), '', 'an MQTT client')
    const left = once(host.broker, 'clientDisconnect')
    await device.client.endAsync()
    await left
    t.equal(await ask(), none, 'who is gone')
    t.equal(await ask(qos1), none, 'who is gone')
    const listener = (_: object, done: () => void): void => { done() }
    await new Promise<void>((resolve) => { host.broker.subscribe('a/#', listener, resolve) })
    t.equal(await ask(), '', 'the host')
    t.equal(await ask(qos1), '', 'the host')
    await new Promise<void>((resolve) => { host.broker.unsubscribe('a/#', listener, resolve) })
    t.equal(await ask(), none)
    const session = await connectMqtt(t, host.mqttUrl, { clean: false, clientId: 'session' })
    await session.subscribe('a/b', { qos: 1 })
    const away = once(host.broker, 'clientDisconnect')
    await session.client.endAsync()
    await away
    t.equal(await ask(), none, 'a session that is away, for QoS 0')
    t.equal(await ask(qos1), '', 'and for QoS 1')
  })
}

t.test('client libraries are told at once that nobody is there', async (t) => {
  const host = await startHost(t)
  const service = await nats(t, host.natsUrl)
  await t.rejects(service.request('nobody', '', { timeout: 60_000 }), /no responders/)
  await t.rejects(service.request('nobody', '', { timeout: 60_000, noMux: true }), /no responders/)
  const older = await connectOlder({ servers: host.natsUrl })
  t.teardown(() => older.close())
  await t.rejects(older.request('nobody', undefined, { timeout: 60_000 }), { code: '503' })
})
