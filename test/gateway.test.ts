import t from 'tap'
import net from 'node:net'
import { connect as connectNats } from '@nats-io/transport-node'
import { type Broker, createGateway, Gateway, type GatewayOptions } from '../lib/index.ts'
import { startBroker, startHost, versions } from './helper/brokers.ts'
import { connectMqtt } from './helper/mqtt.ts'
import { connect } from './helper/raw.ts'

for (const { name, create, mqtt5 } of versions) {
  for (const protocolVersion of mqtt5 ? [4, 5] as const : [4] as const) {
    t.test(`${name}, MQTT ${protocolVersion}: NATS to MQTT and back`, async (t) => {
      const host = await startHost(t, { create })
      const mqtt = await connectMqtt(t, host.mqttUrl, { protocolVersion })
      const nats = await connectNats({ servers: host.natsUrl })
      t.teardown(() => nats.close())

      await mqtt.subscribe('sensor/data/temperature')
      nats.publish('sensor.data.temperature', '{"device_id": "sensor_001", "temp": 25.5}')
      const [toMqtt] = await mqtt.take()
      t.equal(toMqtt?.topic, 'sensor/data/temperature')
      t.equal(toMqtt?.payload.toString(), '{"device_id": "sensor_001", "temp": 25.5}')

      const subscription = nats.subscribe('command.device.light_001', { max: 1 })
      await nats.flush()
      await mqtt.publish('command/device/light_001', '{"action": "turn_on", "brightness": 80}')
      for await (const message of subscription) {
        t.equal(message.subject, 'command.device.light_001')
        t.equal(message.string(), '{"action": "turn_on", "brightness": 80}')
      }
    })
  }

  t.test(`${name}: a topic cannot write protocol`, async (t) => {
    const host = await startHost(t, { create })
    const mqtt = await connectMqtt(t, host.mqttUrl)
    const client = await connect(t, host.natsPort)
    client.send('SUB > 1\r\n')
    await client.fence()
    await mqtt.publish('\r\nMSG evil 1 3\r\n', 'x', { qos: 0 })
    await mqtt.publish('a b\tc', 'y', { qos: 0 })
    await client.expect('MSG /0D/0AMSG/20evil/201/203/0D/0A 1 1\r\nx\r\nMSG a/20b/09c 1 1\r\ny\r\n')
  })

  t.test(`${name}: what MQTT and NATS see differently`, async (t) => {
    const host = await startHost(t, { create })
    const mqtt = await connectMqtt(t, host.mqttUrl)
    const client = await connect(t, host.natsPort)
    client.send('SUB foo.> rest\r\nSUB > all\r\nSUB $x.> own\r\nSUB * one\r\nSUB *.* two\r\n')
    await client.fence()
    for (const topic of ['foo', 'foo/bar', '$x/y', '/a', 'a//b', 'a.b/*', 'end']) await mqtt.publish(topic, '', { qos: 0 })
    const text = await client.expect(/[^]*?MSG end one 0\r\n\r\n/)
    t.strictSame(text.split('\r\n').filter((line) => line !== '' && !line.startsWith('MSG end')).sort(), [
      'MSG $x.y own 0', 'MSG /.a all 0', 'MSG /.a two 0', 'MSG a./.b all 0', 'MSG a//b./2A all 0', 'MSG a//b./2A two 0',
      'MSG foo all 0', 'MSG foo one 0', 'MSG foo.bar all 0', 'MSG foo.bar rest 0', 'MSG foo.bar two 0'
    ].sort())
    t.equal(await client.fence(), '')
    client.send('PUB $x.y 0\r\n\r\n')
    t.strictSame((await client.fence()).split('\r\n').filter((line) => line !== '').sort(), ['MSG $x.y all 0', 'MSG $x.y own 0', 'MSG $x.y two 0'], 'what NATS clients publish follows the rules of NATS')
  })

  t.test(`${name}: the reply subject crosses as response topic, and back`, { skip: !mqtt5 && 'this version has no MQTT 5' }, async (t) => {
    const host = await startHost(t, { create })
    const mqtt = await connectMqtt(t, host.mqttUrl, { protocolVersion: 5 })
    await mqtt.subscribe('request')
    const client = await connect(t, host.natsPort)
    client.send('SUB question 1\r\nPUB request _INBOX.a.b 2\r\nhi\r\nPUB request a/b 2\r\nhi\r\n')
    await client.fence()
    const [first, second] = await mqtt.take(2)
    t.strictSame(first?.properties, { responseTopic: '_INBOX/a/b' })
    t.equal(second?.properties?.['responseTopic'], undefined, 'a reply without a topic stays with NATS')
    for (const responseTopic of ['answer/here', '$JS/ACK/x']) await mqtt.publish('question', '?', { qos: 0, properties: { responseTopic } })
    const header = 'NATS/1.0\r\nNmqtt-Pub: 0\r\n\r\n'
    await client.expect(`HMSG question 1 answer.here 26 27\r\n${header}?\r\nHMSG question 1 26 27\r\n${header}?\r\n`)
  })

  t.test(`${name}: a request served over MQTT has responders`, async (t) => {
    const host = await startHost(t, { create })
    const client = await connect(t, host.natsPort)
    client.send('SUB r 1\r\nPUB service r 0\r\n\r\n')
    t.match(await client.fence(), /503/)
    const mqtt = await connectMqtt(t, host.mqttUrl)
    await mqtt.subscribe('service')
    client.send('PUB service r 0\r\n\r\n')
    t.equal(await client.fence(), '')
  })

  t.test(`${name}: a verbose client's +OK says that a session of MQTT will have the message`, async (t) => {
    const host = await startHost(t, { create })
    const session = { clientId: 'sleeper', clean: false }
    const before = await connectMqtt(t, host.mqttUrl, session)
    await before.subscribe('kept/#')
    await before.client.endAsync()
    const client = await connect(t, host.natsPort, null)
    client.send('CONNECT {"verbose":true,"pedantic":false}\r\nSUB kept.x 1\r\nPUB kept.x 2\r\nhi\r\nPING\r\n')
    await client.expect('+OK\r\n+OK\r\n+OK\r\nMSG kept.x 1 2\r\nhi\r\nPONG\r\n')
    const after = await connectMqtt(t, host.mqttUrl, session)
    t.match(await after.take(), [{ topic: 'kept/x', payload: Buffer.from('hi'), qos: 1 }])
  })

  t.test(`${name}: a verbose client whose message cannot be stored gets no +OK`, async (t) => {
    const host = await startHost(t, { create })
    const { persistence } = host.broker as unknown as { persistence: { outgoingEnqueueCombi: () => Promise<void> } }
    persistence.outgoingEnqueueCombi = async () => { throw new Error('disk full') }
    const client = await connect(t, host.natsPort, { verbose: false })
    client.send('CONNECT {"verbose":true}\r\nSUB a 1\r\nPUB a 1\r\nx\r\nPUB a/b 1\r\ny\r\nPING\r\n')
    await client.expect("+OK\r\n+OK\r\n-ERR 'Permissions Violation for Publish to \"a\"'\r\n+OK\r\nPONG\r\n")
    t.equal(host.gateway.counters.failedPublishes, 1)
  })
}

t.test('a million messages from one to another, none lost, none in the wrong order', async (t) => {
  const host = await startHost(t)
  const receiver = await connectNats({ servers: host.natsUrl })
  const sender = await connectNats({ servers: host.natsUrl })
  t.teardown(() => Promise.all([receiver.close(), sender.close()]))
  const total = 1_000_000
  let next = 0
  let wrong = 0
  const finished = new Promise<void>((resolve) => {
    receiver.subscribe('burst', {
      callback: (_error, message) => {
        if (Buffer.from(message.data.buffer, message.data.byteOffset, 4).readUInt32LE() !== next) wrong++
        if (++next === total) resolve()
      }
    })
  })
  await receiver.flush()
  for (let i = 0; i < total; i++) {
    const payload = Buffer.allocUnsafe(16)
    payload.writeUInt32LE(i)
    sender.publish('burst', payload)
    if (i % 50_000 === 0) await sender.flush()
  }
  await finished
  t.equal(wrong, 0)
})

t.test('a publisher that is faster than the broker is held back', async (t) => {
  const host = await startHost(t)
  const { broker } = host
  let most = 0
  let open = 0
  const waiting: (() => void)[] = []
  // A listener that takes its time.
  broker.subscribe('slow', ((_packet: unknown, done: () => void) => {
    most = Math.max(most, ++open)
    waiting.push(() => {
      open--
      done()
    })
    if (waiting.length === 1) setTimeout(() => { for (const each of waiting.splice(0)) each() }, 1)
  }) as never, () => {})
  const client = await connect(t, host.natsPort)
  client.send('PUB slow 1\r\nx\r\n'.repeat(20_000))
  await client.fence()
  t.ok(most <= 1024, `at most ${most} messages at a time`)
  client.send(`PUB slow 1000000\r\n${'x'.repeat(1_000_000)}\r\n`.repeat(20))
  await client.fence()
})

t.test('a publisher that disconnects at once loses nothing', async (t) => {
  const host = await startHost(t)
  host.broker.authorizePublish = (_client, _packet, callback) => { setTimeout(callback, 1) }
  const reader = await connect(t, host.natsPort)
  reader.send('SUB a 1\r\n')
  await reader.fence()
  const socket = net.connect(host.natsPort, '127.0.0.1')
  socket.end(`CONNECT {"verbose":false}\r\n${'PUB a 1\r\nx\r\n'.repeat(100)}`)
  await reader.expect('MSG a 1 1\r\nx\r\n'.repeat(100))
  await new Promise((resolve) => { socket.on('close', resolve).resume() })
})

t.test('a publisher to a reader that lags is slowed down', async (t) => {
  const host = await startHost(t, { nats: { maxPending: 20_000_000, maxPayload: 1_000_000, writeDeadline: 100_000 } })
  const reader = await connect(t, host.natsPort)
  reader.send('SUB a 1\r\n')
  await reader.fence()
  reader.socket.pause()
  const publisher = await connect(t, host.natsPort)
  const message = `PUB a 1000000\r\n${'x'.repeat(1_000_000)}\r\n`
  const outbox = [...host.gateway.clients.values()][0]?.outbox
  let sent = 0
  while (outbox?.isCongested === false) {
    publisher.send(message)
    await publisher.fence()
    sent++
  }
  const began = Date.now()
  publisher.send(message)
  await publisher.fence()
  t.ok(Date.now() - began >= 8, 'held for ten milliseconds')
  reader.socket.resume()
  const relieved = new Promise<void>((resolve) => { outbox?.whenRelieved(resolve) })
  await reader.expect(new RegExp(`(MSG a 1 1000000\\r\\nx+\\r\\n){${sent + 1}}`))
  await relieved
  outbox?.whenRelieved(() => { t.pass('at once when nothing waits') })
  t.equal(await reader.fence(), '')
})

t.test('a client that does not take headers gets the payload alone', async (t) => {
  const host = await startHost(t)
  const plain = await connect(t, host.natsPort, { headers: false, no_responders: false })
  plain.send('SUB a 1\r\n')
  await plain.fence()
  const client = await connect(t, host.natsPort)
  client.send('HPUB a r 12 14\r\nName:Derek\r\nOK\r\n')
  await plain.expect('MSG a 1 r 2\r\nOK\r\n')
})

t.test('a connection that is reset is gone, and the host is told', async (t) => {
  const host = await startHost(t)
  const client = await connect(t, host.natsPort)
  const told = new Promise<Error>((resolve) => { host.broker.on('clientError', (_client, error) => { resolve(error) }) })
  client.socket.resetAndDestroy()
  t.match(await told, { code: 'ECONNRESET' })
  t.equal(host.gateway.clients.size, 0)
})

t.test('what the host publishes as a string arrives as UTF-8', async (t) => {
  const host = await startHost(t)
  const client = await connect(t, host.natsPort)
  client.send('SUB a.> 1\r\n')
  await client.fence()
  host.broker.publish({ topic: 'a/b', payload: 'é', qos: 0 } as never, () => {})
  await client.expect('MSG a.b 1 2\r\n\xc3\xa9\r\n')
  host.broker.publish({ topic: 'a/b\0', payload: 'x', qos: 0 } as never, () => {})
  t.equal(await client.fence(), '')
})

t.test('INFO tells the address to use', async (t) => {
  const rows: [GatewayOptions, object][] = [
    [{}, { host: '127.0.0.1', server_name: 'aedes-nats', proto: 1, headers: true }],
    [{ clientAdvertise: 'me:1' }, { host: 'me', port: 1 }],
    [{ clientAdvertise: 'me', serverName: 'über' }, { host: 'me', server_name: 'über' }]
  ]
  for (const [nats, wanted] of rows) {
    const host = await startHost(t, { nats })
    const { info } = await connect(t, host.natsPort, null)
    t.match({ ...info, server_name: Buffer.from(String(info['server_name']), 'latin1').toString() }, wanted)
    if (nats.clientAdvertise !== 'me:1') t.equal(info['port'], host.natsPort)
    t.match(info['server_id'], /^N[A-Z2-7]{55}$/)
  }
})

t.test('lame duck mode tells the clients and closes them one by one', async (t) => {
  const host = await startHost(t, { nats: { lameDuckDuration: 60, lameDuckGracePeriod: 20 } })
  const clients = await Promise.all([1, 2, 3].map(() => connect(t, host.natsPort, { protocol: 1 })))
  const old = await connect(t, host.natsPort)
  const fresh = await connect(t, host.natsPort, null)
  const over = host.gateway.lameDuck()
  for (const client of clients) t.match(JSON.parse((await client.expect(/INFO .*\r\n/)).slice(5)), { ldm: true })
  clients[0]?.send('SUB a 1\r\nPUB a 0\r\n\r\n')
  t.equal(await clients[0]?.fence(), 'MSG a 1 0\r\n\r\n', 'business goes on')
  const refused = net.connect(host.natsPort, '127.0.0.1')
  await new Promise((resolve) => { refused.on('error', resolve) })
  await host.gateway.lameDuck()
  await over
  for (const client of [...clients, old, fresh]) t.equal(await client.end(), '')
  t.equal(host.gateway.clients.size, 0)
})

t.test('lame duck mode ends at once when nobody is there, or with the last one', async (t) => {
  const idle = await startHost(t)
  await idle.gateway.lameDuck()
  const host = await startHost(t)
  const client = await connect(t, host.natsPort)
  const over = host.gateway.lameDuck()
  client.socket.end()
  await over
})

t.test('limits can change while connections go on', async (t) => {
  const host = await startHost(t)
  const client = await connect(t, host.natsPort)
  host.gateway.update({ maxPayload: 10, maxSubscriptions: 1 })
  client.send('SUB a 1\r\nSUB b 2\r\nPUB a 10\r\n0123456789\r\n')
  t.equal(await client.fence(), "-ERR 'maximum subscriptions exceeded'\r\nMSG a 1 10\r\n0123456789\r\n")
  client.send('PUB a 11\r\n')
  t.equal(await client.end(), "-ERR 'Maximum Payload Violation'\r\n")
  t.throws(() => { host.gateway.update({ port: 1 }) }, { code: 'NATS_ERR_OPTION', message: /fixed while the gateway runs/ })
  t.throws(() => { host.gateway.update({ nonsense: 1 } as GatewayOptions) }, { code: 'NATS_ERR_OPTION_UNKNOWN' })
  t.throws(() => { host.gateway.update({ maxPayload: -1 }) }, { code: 'NATS_ERR_OPTION' })
  host.gateway.update({ host: '127.0.0.1' })
  t.equal(host.gateway.options.maxPayload, 10)
})

t.test('a port that is taken is said so, and the broker left alone', async (t) => {
  const host = await startHost(t)
  const { broker } = await startBroker(t)
  const { preConnect } = broker
  await t.rejects(createGateway(broker as Broker, { host: '127.0.0.1', port: host.natsPort }), { code: 'NATS_ERR_LISTEN', message: /cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/ })
  t.equal(broker.preConnect, preConnect)
})

t.test('a broker takes one gateway at a time', async (t) => {
  const { broker } = await startBroker(t)
  const first = await createGateway(broker as Broker, { host: '127.0.0.1', port: 0 })
  await t.rejects(createGateway(broker as Broker, { port: 0 }), { code: 'NATS_ERR_BROKER', message: /has a NATS gateway already/ })
  await first.close()
  await (await createGateway(broker as Broker, { host: '127.0.0.1', port: 0 })).close()
})

t.test('a gateway that is closed while it begins to listen does not', async (t) => {
  const { broker } = await startBroker(t)
  const gateway = new Gateway(broker as Broker, { host: '127.0.0.1', port: 0 })
  t.equal(gateway.port, 0)
  t.equal(gateway.host, '')
  const listening = gateway.listen()
  await gateway.close()
  await t.rejects(listening, { code: 'NATS_ERR_CLOSED' })
  const { socket } = await connect(t, (await startHost(t)).natsPort)
  gateway.accept(socket)
  t.ok(socket.destroyed)
})

t.test('counts what goes through', async (t) => {
  const host = await startHost(t)
  const client = await connect(t, host.natsPort)
  client.send('SUB a 1\r\nSUB a 2\r\nPUB a 5\r\nhello\r\n')
  await client.fence()
  const [ours] = host.gateway.clients.values()
  t.match(ours, { inMessages: 1, inBytes: 5, outMessages: 2, outBytes: 10, state: 'ready', address: '127.0.0.1', port: client.socket.localPort })
  t.equal(host.gateway.subscriptions, 2)
  t.equal(host.gateway.counters.totalConnections, 1)
})
