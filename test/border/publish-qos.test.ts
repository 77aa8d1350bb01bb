import { once } from 'node:events'
import { connect as connectNats, headers, type NatsConnection } from '@nats-io/transport-node'
import t, { type Test } from 'tap'
import type { HostBroker, HostHooks, PublishPacket } from '../../lib/broker/host.ts'
import { createGateway, type Broker } from '../../lib/index.ts'
import { settings } from '../durable/hosts.ts'
import { type Host, startBroker, startHost, versions } from '../helper/brokers.ts'
import { addOffline, until } from '../helper/links.ts'
import { connectMqtt, type MqttPeer } from '../helper/mqtt.ts'
import { connect, type RawClient } from '../helper/raw.ts'

// How messages of NATS clients are published: QoS and retain by header, by rule, for verbose clients; what is stored, and
// when the client is told.

const block = (...lines: string[]): string => `NATS/1.0\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`
const hpub = (subject: string, payload: string, ...lines: string[]): string => {
  const header = block(...lines)
  return `HPUB ${subject} ${header.length} ${header.length + payload.length}\r\n${header}${payload}\r\n`
}

/** The next messages that a peer gets, by QoS: QoS 2 takes its time. */
async function take (peer: MqttPeer, count: number): Promise<string[]> {
  const lines = (await peer.take(count)).map(({ topic, qos, retain }) => `${qos} ${topic}${retain ? ' retained' : ''}`)
  return [0, 1, 2].flatMap((qos) => lines.filter((line) => line.startsWith(String(qos))))
}

/** The topics of the first retained messages that a new subscription gets. */
async function retainedOf (t: Test, host: Host, filter: string, count: number): Promise<string[]> {
  const late = await connectMqtt(t, host.mqttUrl)
  await late.subscribe(filter, { qos: 0 })
  return (await late.take(count)).map(({ topic }) => topic).sort()
}

/** Ends a session's connection; resolves once the broker knows. */
async function leave ({ broker }: Host, peer: MqttPeer): Promise<void> {
  const gone = once(broker, 'clientDisconnect')
  await peer.client.endAsync()
  await gone
}

/** Holds what is stored until told. */
function slowStore (broker: object): { held: string[], go: (error?: Error) => void } {
  const { persistence } = broker as HostBroker
  const { outgoingEnqueueCombi } = persistence
  const waiting: ((error?: Error) => void)[] = []
  const held: string[] = []
  persistence.outgoingEnqueueCombi = async function (subscriptions, packet) {
    held.push(packet.topic)
    await new Promise<void>((resolve, reject) => { waiting.push((error) => { if (error === undefined) resolve(); else reject(error) }) })
    return await outgoingEnqueueCombi.call(this, subscriptions, packet)
  }
  return { held, go: (error) => { waiting.shift()?.(error) } }
}

/** A host that stores slowly, for a session that is away and has subscribed to `a/#`. */
async function startSlow (t: Test, create: (typeof versions)[0]['create'], nats = {}): Promise<{ store: ReturnType<typeof slowStore>, hooks: HostHooks, natsPort: number, mqttUrl: string }> {
  const { broker, mqttPort } = await startBroker(t, create)
  const store = slowStore(broker)
  await addOffline(broker, 'away', 'a/#')
  const gateway = await createGateway(broker as Broker, { host: '127.0.0.1', port: 0, ...nats })
  t.teardown(() => gateway.close())
  return { store, hooks: broker as unknown as HostHooks, natsPort: gateway.port, mqttUrl: `mqtt://127.0.0.1:${mqttPort}` }
}

/** A verbose client, and all that it hears from now on. */
async function connectVerbose (t: Test, port: number, options: object = {}): Promise<{ client: RawClient, heard: () => string }> {
  const client = await connect(t, port)
  client.send(`CONNECT ${JSON.stringify({ verbose: true, pedantic: false, headers: true, no_responders: true, ...options })}\r\n`)
  await client.expect('+OK\r\n')
  let text = ''
  client.socket.on('data', (chunk: Buffer) => { text += chunk.toString('latin1') })
  return { client, heard: () => text }
}

for (const { name, mqtt5, create } of versions) {
  t.test(`${name}: Nmqtt-QoS and Nmqtt-Retain say how to publish, and are no user properties`, async (t) => {
    const host = await startHost(t, { create })
    const device = await connectMqtt(t, host.mqttUrl, { protocolVersion: mqtt5 ? 5 : 4 })
    await device.subscribe('#', { qos: 2 })
    const service = await connectNats({ servers: host.natsUrl })
    t.teardown(() => service.close())
    for (const [i, qos] of ['0', '1', '2', '3'].entries()) {
      const given = headers()
      given.set('Nmqtt-QoS', qos)
      given.set('Nmqtt-Retain', i % 2 === 1 ? 'true' : 'false')
      given.set('A', '1')
      service.publish(`a.${i}`, 'x', { headers: given })
      const [message] = await device.take()
      t.match(message, { topic: `a/${i}`, qos: i === 3 ? 0 : i })
      if (mqtt5) t.same(message?.properties, { userProperties: { A: '1' } })
    }
    t.strictSame(await retainedOf(t, host, 'a/+', 2), ['a/1', 'a/3'])
    const clear = headers()
    clear.set('Nmqtt-Retain', 'true')
    service.publish('a.1', '', { headers: clear })
    await service.flush()
    t.strictSame(await retainedOf(t, host, 'a/+', 1), ['a/3'])
  })

  t.test(`${name}: authorizePublish sees QoS and retain, and can change them`, async (t) => {
    const host = await startHost(t, { create, nats: { publish: { 'a.rule': { qos: 2, retain: true } } } })
    const hooks = host.broker as unknown as HostHooks
    const seen: string[] = []
    hooks.authorizePublish = (_client, packet, done) => {
      if (packet.topic !== 'end') seen.push(`${packet.topic} ${packet.qos} ${packet.retain}`)
      if (packet.topic === 'a/down') Object.assign(packet, { qos: 0, retain: false })
      if (packet.topic === 'a/up') Object.assign(packet, { qos: 2, retain: true })
      done(packet.topic === 'a/no' ? new Error('no') : null)
    }
    const device = await connectMqtt(t, host.mqttUrl)
    await device.subscribe('#', { qos: 2 })
    const client = await connect(t, host.natsPort)
    client.send(hpub('a.down', 'x', 'Nmqtt-QoS: 2', 'Nmqtt-Retain: true') + 'PUB a.up 1\r\nx\r\n' + hpub('a.no', 'x', 'Nmqtt-QoS: 1') + 'PUB a.rule 1\r\nx\r\n')
    t.equal(await client.fence(), '-ERR \'Permissions Violation for Publish to "a.no"\'\r\n')
    t.strictSame(seen, ['a/down 2 true', 'a/up 0 false', 'a/no 1 false', 'a/rule 2 true'])
    t.strictSame(await take(device, 3), ['0 a/down', '2 a/up', '2 a/rule'])
    t.strictSame(await retainedOf(t, host, 'a/+', 2), ['a/rule', 'a/up'])
  })

  t.test(`${name}: a header counts before a rule, the first rule before others, and QoS 0 where there is none`, async (t) => {
    const host = await startHost(t, { create, nats: { publish: { 'a.two': { qos: 2 }, 'a.*': { qos: 1 }, '*.two': { qos: 0 }, 'state.>': { retain: true } } } })
    const device = await connectMqtt(t, host.mqttUrl)
    await device.subscribe('#', { qos: 2 })
    const client = await connect(t, host.natsPort)
    const { client: verbose } = await connectVerbose(t, host.natsPort)
    client.send('PUB a.two 0\r\n\r\nPUB a.one 0\r\n\r\nPUB b.two 0\r\n\r\nPUB b 0\r\n\r\nPUB state.x 1\r\nx\r\n' + hpub('a.two', '', 'Nmqtt-QoS: 0') + hpub('b', '', 'Nmqtt-QoS: 2') + hpub('state.y', 'y', 'Nmqtt-Retain: false'))
    t.strictSame(await take(device, 8), ['0 b/two', '0 b', '0 state/x', '0 a/two', '0 state/y', '1 a/one', '2 a/two', '2 b'])
    verbose.send('PUB a.two 0\r\n\r\nPUB b.two 0\r\n\r\nPUB b 0\r\n\r\nPUB state.z 1\r\nz\r\n' + hpub('b', '', 'Nmqtt-QoS: 0'))
    await verbose.expect('+OK\r\n'.repeat(5))
    t.strictSame(await take(device, 5), ['0 b', '1 b/two', '1 b', '1 state/z', '2 a/two'])
    t.strictSame(await retainedOf(t, host, 'state/#', 2), ['state/x', 'state/z'])
  })

  t.test(`${name}: +OK says that the message is stored, and comes before the MSG; the rest of the connection waits`, async (t) => {
    const { store, natsPort } = await startSlow(t, create)
    const { client, heard } = await connectVerbose(t, natsPort)
    const other = await connect(t, natsPort)
    client.send('SUB a.> 1\r\n')
    await client.expect('+OK\r\n')
    const before = heard().length
    client.send('PUB a.1 1\r\nx\r\nPUB a.2 1\r\ny\r\nPUB b/c 0\r\n\r\nPING\r\n')
    await until(() => store.held.length === 1)
    // Others are served, to this client too.
    other.send('PUB a.0 1\r\no\r\n')
    await other.fence()
    await client.expect('MSG a.0 1 1\r\no\r\n')
    t.equal(heard().slice(before), 'MSG a.0 1 1\r\no\r\n')
    store.go()
    await client.expect('+OK\r\nMSG a.1 1 1\r\nx\r\n')
    await until(() => store.held.length === 2)
    await other.fence()
    t.equal(heard().slice(before), 'MSG a.0 1 1\r\no\r\n+OK\r\nMSG a.1 1 1\r\nx\r\n')
    store.go()
    await client.expect('+OK\r\nMSG a.2 1 1\r\ny\r\n+OK\r\nPONG\r\n')
    t.strictSame(store.held, ['a/1', 'a/2'])
  })

  t.test(`${name}: what cannot be stored, or is refused, is an error and no +OK, and reaches nobody`, async (t) => {
    const { store, hooks, natsPort } = await startSlow(t, create, { publish: { 'a.ruled': { qos: 1 } } })
    const { client } = await connectVerbose(t, natsPort)
    client.send('SUB > 1\r\nPUB a.1 1\r\nx\r\nPUB a.2 1\r\ny\r\n')
    await client.expect('+OK\r\n')
    await until(() => store.held.length === 1)
    store.go(new Error('no room'))
    await client.expect('-ERR \'Permissions Violation for Publish to "a.1"\'\r\n')
    await until(() => store.held.length === 2)
    store.go()
    await client.expect('+OK\r\nMSG a.2 1 1\r\ny\r\n')
    hooks.authorizePublish = (_client, packet, done) => { done(packet.topic === 'a/no' ? new Error('no') : null) }
    client.send('PUB a.no 0\r\n\r\nPUB b.yes 0\r\n\r\n')
    await client.expect('-ERR \'Permissions Violation for Publish to "a.no"\'\r\n+OK\r\nMSG b.yes 1 0\r\n\r\n')
    // Clients that are not verbose hear of it too.
    const terse = await connect(t, natsPort)
    terse.send('PUB a.ruled 0\r\n\r\n')
    await until(() => store.held.length === 3)
    store.go(new Error('no room'))
    await terse.expect('-ERR \'Permissions Violation for Publish to "a.ruled"\'\r\n')
    t.equal(await terse.fence(), '')
    t.equal(store.held.length, 3)
  })

  t.test(`${name}: retained messages are stored before +OK, or not`, async (t) => {
    const { broker } = await startBroker(t, create)
    const { persistence } = broker as unknown as { persistence: { storeRetained (packet: PublishPacket): Promise<void> } }
    const { storeRetained } = persistence
    persistence.storeRetained = function (packet) { return packet.topic === 'full' ? Promise.reject(new Error('no room')) : storeRetained.call(this, packet) }
    const gateway = await createGateway(broker as Broker, { host: '127.0.0.1', port: 0 })
    t.teardown(() => gateway.close())
    const { client } = await connectVerbose(t, gateway.port)
    for (const qos of [0, 1]) {
      client.send(hpub('full', 'x', 'Nmqtt-Retain: true', `Nmqtt-QoS: ${qos}`) + hpub('free', 'x', 'Nmqtt-Retain: true', `Nmqtt-QoS: ${qos}`))
      await client.expect('-ERR \'Permissions Violation for Publish to "full"\'\r\n+OK\r\n')
    }
    t.equal(gateway.counters.failedPublishes, 2)
  })
}

t.test('sessions that are away', async (t) => {
  for (const setting of await settings(t)) {
    t.test(`${setting.name}: get what NATS clients published with QoS above 0, by rule, by header and verbose`, async (t) => {
      const host = await setting.start(t, { nats: { publish: { 'q.ruled': { qos: 1 } } } })
      const session = { clientId: 'away', clean: false, ...setting.mqtt5 ? { protocolVersion: 5 as const, properties: { sessionExpiryInterval: 3600 } } : {} }
      const device = await connectMqtt(t, host.mqttUrl, session)
      await device.subscribe('q/#', { qos: 2 })
      await leave(host, device)
      const client = await connect(t, host.natsPort)
      const { client: verbose } = await connectVerbose(t, host.natsPort)
      client.send('PUB q.lost 0\r\n\r\n' + hpub('q.ruled', 'r', 'A: 1', 'A: 2', 'B: \xc3\xa4') + hpub('q.header', 'h', 'Nmqtt-QoS: 2', 'Nmqtt-Content-Type: text/plain'))
      t.equal(await client.fence(), '')
      verbose.send('PUB q.verbose some.reply 1\r\nv\r\n')
      await verbose.expect('+OK\r\n')
      const again = await connectMqtt(t, host.mqttUrl, session)
      // QoS 2 takes its time.
      const got = (await again.take(3)).sort((a, b) => a.topic < b.topic ? -1 : 1)
      t.same(got.map(({ topic, qos, payload }) => `${topic} ${qos} ${payload.toString()}`), ['q/header 2 h', 'q/ruled 1 r', 'q/verbose 1 v'])
      if (setting.mqtt5) t.same(got.map(({ properties }) => properties), [{ contentType: 'text/plain' }, { userProperties: { A: ['1', '2'], B: 'ä' } }, { responseTopic: 'some/reply' }])
      await again.publish('q/end', '', { qos: 1 })
      t.match(await again.take(), [{ topic: 'q/end' }])
    })
  }
})

t.test('requests that nobody serves at once', async (t) => {
  for (const { name, create } of versions) {
    t.test(name, async (t) => {
      const host = await startHost(t, { create, nats: { publish: { 'stored.>': { qos: 1 }, 'kept.>': { retain: true } } } })
      await addOffline(host.broker, 'away', 'stored/away', 'plain/away', 'kept/away')
      const client = await connect(t, host.natsPort)
      client.send('SUB inbox 1\r\n')
      const nobody = 'HMSG inbox 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n'
      const rows: [string, string][] = [
        ['PUB plain.nobody inbox 0\r\n\r\n', nobody], ['PUB stored.nobody inbox 0\r\n\r\n', nobody], ['PUB kept.away inbox 0\r\n\r\n', nobody],
        ['PUB plain.away inbox 0\r\n\r\n', nobody],
        ['PUB stored.away inbox 0\r\n\r\n', ''],
        [hpub('plain.away inbox', '', 'Nmqtt-QoS: 1'), ''],
        [hpub('stored.away inbox', '', 'Nmqtt-QoS: 0'), nobody],
        ['PUB stored.nobody 0\r\n\r\n', '']
      ]
      for (const [sent, answer] of rows) {
        client.send(sent)
        t.equal(await client.fence(), answer, sent)
      }
      const verbose = await connectVerbose(t, host.natsPort)
      verbose.client.send('SUB inbox 1\r\nPUB plain.away inbox 0\r\n\r\nPUB plain.nobody inbox 0\r\n\r\n')
      await verbose.client.expect('+OK\r\n+OK\r\n+OK\r\n' + nobody)
      // A device that is there serves whatever the QoS.
      const device = await connectMqtt(t, host.mqttUrl)
      await device.subscribe('+/live', { qos: 0 })
      client.send('PUB plain.live inbox 0\r\n\r\nPUB stored.live inbox 0\r\n\r\n')
      t.equal(await client.fence(), '')
    })

    t.test(`${name}: nats.js is told at once`, async (t) => {
      const host = await startHost(t, { create, nats: { publish: { 'stored.>': { qos: 1 } } } })
      const service: NatsConnection = await connectNats({ servers: host.natsUrl })
      t.teardown(() => service.close())
      await t.rejects(service.request('stored.nobody', '', { timeout: 100_000 }), { message: /no responders/ })
      const device = await connectMqtt(t, host.mqttUrl, { clientId: 'device', clean: false })
      await device.subscribe('stored/device')
      await leave(host, device)
      const answer = service.request('stored.device', 'hello', { timeout: 100_000 })
      await service.flush()
      const back = await connectMqtt(t, host.mqttUrl, { clientId: 'device', clean: false })
      t.match(await back.take(), [{ topic: 'stored/device', payload: Buffer.from('hello') }])
      answer.catch(() => {})
    })
  }
})
