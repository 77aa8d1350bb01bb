import t from 'tap'
import { connect as connectNats } from '@nats-io/transport-node'
import type { Facade } from '../../lib/broker/facade.ts'
import type { ConnectPacket, HostHooks, HostSubscription, PublishPacket } from '../../lib/broker/host.ts'
import { startHost, versions } from '../helper/brokers.ts'
import { connectMqtt } from '../helper/mqtt.ts'
import { connect } from '../helper/raw.ts'

// The policies of a host hold for NATS clients as they do for MQTT clients.

function later (callback: () => void): void {
  setTimeout(callback, 5)
}

for (const { name, create } of versions) {
  const start = async (t: Tap, nats = {}): Promise<{ hooks: HostHooks, host: Awaited<ReturnType<typeof startHost>> }> => {
    const host = await startHost(t, { create, nats })
    return { host, hooks: host.broker as unknown as HostHooks }
  }
  type Tap = Parameters<typeof startHost>[0]

  t.test(`${name}: preConnect and authenticate see CONNECT`, async (t) => {
    const { host, hooks } = await start(t)
    let packet: ConnectPacket | undefined
    let facade: Facade | undefined
    hooks.preConnect = (client, connectPacket, callback) => {
      packet = connectPacket
      facade = client as Facade
      t.match(client, { protocol: 'nats', connecting: false, connected: false, closed: false, version: 4, clean: true })
      t.equal((facade.conn as { remoteAddress?: string }).remoteAddress, '127.0.0.1')
      later(() => { callback(null, true) })
    }
    hooks.authenticate = (client, username, password, callback) => {
      t.equal(client, facade)
      t.equal(username, 'alice')
      t.strictSame(password, Buffer.from('sécret'))
      later(() => { callback(null, true) })
    }
    const nats = await connectNats({ servers: host.natsUrl, user: 'alice', pass: 'sécret', name: 'service' })
    t.teardown(() => nats.close())
    t.equal(nats.info?.auth_required, true)
    t.match(packet, { cmd: 'connect', protocolId: 'NATS', clean: true, username: 'alice' })
    t.equal(packet?.clientId, facade?.id)
    t.match(facade?.id, /^nats:/)
    t.match(facade?.nats, { name: 'service', lang: 'nats.js', user: 'alice', protocol: 1 })
    t.equal(facade?.connected, true)
    t.equal((host.broker as unknown as { clients: Record<string, unknown> }).clients[facade?.id ?? ''], facade)
    t.equal(host.broker.connectedClients, 1)
  })

  for (const [how, answer] of Object.entries({
    'an error': (callback: (error: Error | null, ok: boolean | null) => void) => { callback(Object.assign(new Error('no'), { returnCode: 4 }), null) },
    false: (callback: (error: Error | null, ok: boolean | null) => void) => { callback(null, false) },
    'an error later': (callback: (error: Error | null, ok: boolean | null) => void) => { later(() => { callback(new Error('no'), false) }) },
    'a throw': () => { throw new Error('no') }
  })) {
    t.test(`${name}: authenticate refuses with ${how}`, async (t) => {
      const { host, hooks } = await start(t)
      hooks.authenticate = (_client, _username, _password, callback) => { answer(callback) }
      const errors: string[] = []
      host.broker.on('connectionError', (client, error) => { errors.push(`${client.id.slice(0, 5)} ${error.message}`) })
      const client = await connect(t, host.natsPort, null)
      client.send('CONNECT {"user":"x"}\r\nPING\r\n')
      t.equal(await client.end(), "-ERR 'Authorization Violation'\r\n")
      t.match(errors, [/^nats: authorization violation: /])
      t.equal(host.broker.connectedClients, 0)
    })
  }

  t.test(`${name}: preConnect refuses`, async (t) => {
    const { host, hooks } = await start(t)
    hooks.preConnect = (_client, _packet, callback) => { callback(null, false) }
    hooks.authenticate = () => { t.fail('authenticate must not be asked') }
    const client = await connect(t, host.natsPort, null)
    client.send('CONNECT {}\r\nPING\r\n')
    t.equal(await client.end(), "-ERR 'Authorization Violation'\r\n")
  })

  t.test(`${name}: a client without CONNECT passes the hooks as anonymous`, async (t) => {
    const { host, hooks } = await start(t)
    const asked: unknown[] = []
    hooks.preConnect = (_client, packet, callback) => {
      asked.push(packet.username, packet.password)
      callback(null, true)
    }
    hooks.authenticate = (_client, username, password, callback) => {
      asked.push(username, password)
      later(() => { callback(null, asked.length <= 4) })
    }
    const client = await connect(t, host.natsPort, null)
    client.send('SUB foo 1\r\nPUB foo 1\r\nx\r\nPING\r\n')
    await client.expect('+OK\r\n+OK\r\nMSG foo 1 1\r\nx\r\nPONG\r\n')
    t.strictSame(asked, [undefined, undefined, undefined, undefined])
    for (const first of ['PING\r\n', 'PUB foo 0\r\n\r\n', 'SUB foo 1\r\n', 'UNSUB 1\r\n']) {
      const refused = await connect(t, host.natsPort, null)
      refused.send(first)
      t.equal(await refused.end(), "-ERR 'Authorization Violation'\r\n", first)
    }
  })

  t.test(`${name}: CONNECT again is authenticated again`, async (t) => {
    const { host, hooks } = await start(t)
    hooks.authenticate = (_client, username, _password, callback) => { callback(null, username !== 'eve') }
    const client = await connect(t, host.natsPort, { user: 'alice' })
    client.send('CONNECT {"user":"bob"}\r\n')
    t.equal(await client.fence(), '')
    client.send('CONNECT {"user":"eve"}\r\nPING\r\n')
    t.equal(await client.end(), "-ERR 'Authorization Violation'\r\n")
    t.equal(host.broker.connectedClients, 0)
  })

  t.test(`${name}: authorizePublish decides, in the order of the connection`, async (t) => {
    const { host, hooks } = await start(t)
    const seen: string[] = []
    hooks.authorizePublish = (client, packet, callback) => {
      if (!(client as Facade | null)?.id.startsWith('nats:')) { callback(null); return }
      seen.push(`${packet.topic} ${packet.payload.toString()} ${packet.qos} ${packet.retain} ${packet.properties?.responseTopic ?? '-'}`)
      // The first answers last.
      setTimeout(() => { callback(packet.topic === 'secret/x' ? new Error('no') : null) }, packet.topic === 'a/slow' ? 30 : 0)
    }
    const mqtt = await connectMqtt(t, host.mqttUrl)
    await mqtt.subscribe('#')
    const client = await connect(t, host.natsPort)
    client.send('SUB > 1\r\nPUB a.slow re.ply 1\r\n1\r\nPUB secret.x 1\r\n2\r\nPUB a.b 1\r\n3\r\nPUB a/b 1\r\n4\r\n')
    t.equal(await client.fence(), 'MSG a.slow 1 re.ply 1\r\n1\r\n' +
      "-ERR 'Permissions Violation for Publish to \"secret.x\"'\r\nMSG a.b 1 1\r\n3\r\nMSG a/b 1 1\r\n4\r\n")
    t.strictSame((await mqtt.take(2)).map(({ topic, payload }) => `${topic} ${payload.toString()}`), ['a/slow 1', 'a/b 3'])
    t.strictSame(seen, ['a/slow 1 0 false re/ply', 'secret/x 2 0 false -', 'a/b 3 0 false -', '$NATS/a%2Fb 4 0 false -'])
  })

  t.test(`${name}: authorizePublish changes what it sees`, async (t) => {
    const { host, hooks } = await start(t)
    hooks.authorizePublish = (client, packet, callback) => {
      if ((client as Facade | null)?.protocol === 'nats') {
        packet.payload = Buffer.from(`${packet.payload.toString()}!`)
        if (packet.topic === 'old/topic') packet.topic = 'new/topic'
      }
      callback(null)
    }
    const mqtt = await connectMqtt(t, host.mqttUrl)
    await mqtt.subscribe('#')
    const client = await connect(t, host.natsPort)
    client.send('SUB > 1\r\nHPUB a 12 13\r\nNATS/1.0\r\n\r\nx\r\nPUB old.topic 1\r\ny\r\n')
    t.equal(await client.fence(), 'HMSG a 1 12 14\r\nNATS/1.0\r\n\r\nx!\r\nMSG new.topic 1 2\r\ny!\r\n')
    t.strictSame((await mqtt.take(2)).map(({ topic, payload }) => `${topic} ${payload.toString()}`), ['a x!', 'new/topic y!'])
  })

  t.test(`${name}: a publish to $SYS is denied, as Aedes denies it`, async (t) => {
    const { host } = await start(t)
    const client = await connect(t, host.natsPort)
    client.send('SUB $SYS.> 1\r\nPUB $SYS.x 0\r\n\r\nPUB $SYS 0\r\n\r\nPUB $SYSTEM.x 0\r\n\r\nPUB x.$SYS.y 0\r\n\r\n')
    t.match(await client.fence(), "-ERR 'Permissions Violation for Publish to \"$SYS.x\"'\r\n")
  })

  t.test(`${name}: authorizeSubscribe decides`, async (t) => {
    const { host, hooks } = await start(t)
    const seen: HostSubscription[] = []
    hooks.authorizeSubscribe = (client, subscription, callback) => {
      t.match((client as Facade).id, /^nats:/)
      seen.push({ ...subscription })
      switch (subscription.topic) {
        case 'no/+': later(() => { callback(null, null) }); break
        case 'error': callback(new Error('no'), subscription); break
        case 'throw': throw new Error('no')
        default: later(() => { callback(null, subscription) })
      }
    }
    const client = await connect(t, host.natsPort)
    client.send('SUB no.* 1\r\nSUB error q 2\r\nSUB throw 3\r\nSUB yes.> g 4\r\nSUB a/b 5\r\nPUB yes.x 0\r\n\r\nPUB no.x 0\r\n\r\nPUB error 0\r\n\r\n')
    t.equal(await client.fence(), [
      "-ERR 'Permissions Violation for Subscription to \"no.*\"'",
      "-ERR 'Permissions Violation for Subscription to \"error\" using queue \"q\"'",
      "-ERR 'Permissions Violation for Subscription to \"throw\"'",
      'MSG yes.x 4 0', '', ''
    ].join('\r\n'))
    t.strictSame(seen, [
      { topic: 'no/+', qos: 0 }, { topic: 'error', qos: 0, queue: 'q' }, { topic: 'throw', qos: 0 }, { topic: 'yes/#', qos: 0, queue: 'g' }, { topic: '$NATS/a%2Fb', qos: 0 }
    ])
  })

  t.test(`${name}: authorizeSubscribe changes the subscription`, async (t) => {
    const { host, hooks } = await start(t)
    hooks.authorizeSubscribe = (_client, subscription, callback) => {
      if (subscription.topic === 'any/#') subscription.topic = 'tenant/+/x'
      callback(null, subscription)
    }
    const client = await connect(t, host.natsPort)
    client.send('SUB any.> 1\r\nPUB any.a 0\r\n\r\nPUB tenant.a.x 0\r\n\r\nPUB tenant.a.y 0\r\n\r\n')
    t.equal(await client.fence(), 'MSG tenant.a.x 1 0\r\n\r\n')
  })

  t.test(`${name}: authorizeForward sees each delivery, with a packet of its own`, async (t) => {
    const { host, hooks } = await start(t)
    const seen: PublishPacket[] = []
    let throws = false
    hooks.authorizeForward = (client, packet) => {
      if (!(client as Facade).id.startsWith('nats:')) return packet
      if (throws) throw new Error('no')
      seen.push(packet)
      if (packet.topic === 'secret') return null
      packet.payload = Buffer.from(`${packet.payload.toString()}${seen.length}`)
      return packet
    }
    const mqtt = await connectMqtt(t, host.mqttUrl, { clientId: 'device' })
    const client = await connect(t, host.natsPort)
    client.send('SUB > 1\r\nSUB * 2\r\nPUB a 1\r\nx\r\nPUB secret 1\r\ny\r\n')
    t.equal(await client.fence(), 'MSG a 1 2\r\nx1\r\nMSG a 2 2\r\nx2\r\n')
    await mqtt.publish('b', 'z', { qos: 0 })
    await client.expect('MSG b 1 2\r\nz5\r\nMSG b 2 2\r\nz6\r\n')
    t.equal(new Set(seen).size, 6)
    t.match(seen[0], { cmd: 'publish', topic: 'a', qos: 0, retain: false, clientId: /^nats:/ })
    t.match(seen[4], { cmd: 'publish', topic: 'b', qos: 0, clientId: 'device' })
    throws = true
    client.send('PUB a 0\r\n\r\n')
    t.equal(await client.fence(), '')
  })

  t.test(`${name}: authorizeForward changes the topic of one delivery`, async (t) => {
    const { host, hooks } = await start(t)
    hooks.authorizeForward = (_client, packet) => ({ ...packet, topic: `seen/${packet.topic}` })
    const client = await connect(t, host.natsPort)
    client.send('SUB a 1\r\nHPUB a r 2 3\r\nabc\r\n')
    t.equal(await client.fence(), 'HMSG seen.a 1 r 2 3\r\nabc\r\n')
  })

  t.test(`${name}: a hook that answers twice is heard once`, async (t) => {
    const { host, hooks } = await start(t)
    hooks.authorizePublish = (_client, _packet, callback) => {
      callback(null)
      callback(new Error('no'))
    }
    hooks.authenticate = (_client, _username, _password, callback) => {
      callback(null, true)
      callback(null, false)
    }
    hooks.authorizeSubscribe = (_client, subscription, callback) => {
      callback(null, subscription)
      throw 'too late' // eslint-disable-line no-throw-literal -- hosts may
    }
    const client = await connect(t, host.natsPort)
    client.send('SUB a 1\r\nPUB a 0\r\n\r\n')
    t.equal(await client.fence(), 'MSG a 1 0\r\n\r\n')
  })

  t.test(`${name}: published and the event 'publish' see NATS messages`, async (t) => {
    const { host, hooks } = await start(t)
    const seen: string[] = []
    hooks.published = (packet, client, callback) => {
      if ((client as Facade | null)?.protocol === 'nats') seen.push(`hook ${packet.topic} ${packet.payload.toString()}`)
      callback(null)
    }
    host.broker.on('publish', (packet, client) => {
      if ((client as unknown as Facade | null)?.protocol === 'nats') seen.push(`event ${packet.topic} ${packet.payload.toString()}`)
    })
    const client = await connect(t, host.natsPort)
    client.send('PUB a.b 1\r\nx\r\nPUB a/b 1\r\ny\r\n')
    await client.fence()
    t.strictSame(seen, ['hook a/b x', 'event a/b x', 'hook $NATS/a%2Fb y', 'event $NATS/a%2Fb y'])
  })

  t.test(`${name}: the events of a connection`, async (t) => {
    const { host } = await start(t, { pingInterval: 60_000 })
    const seen: string[] = []
    const { broker } = host
    broker.on('client', (client) => { seen.push(`client ${client.id.slice(0, 5)} ${client.connected}`) })
    broker.on('clientReady', (client) => { seen.push(`clientReady ${client.connected}`) })
    broker.on('subscribe', (subscriptions) => { seen.push(`subscribe ${JSON.stringify(subscriptions)}`) })
    broker.on('unsubscribe', (topics) => { seen.push(`unsubscribe ${topics.join()}`) })
    broker.on('ping', (packet) => { seen.push(`ping ${packet.cmd}`) })
    const gone = new Promise<void>((resolve) => {
      broker.on('clientDisconnect', (client) => {
        seen.push(`clientDisconnect ${client.closed}`)
        resolve()
      })
    })
    const client = await connect(t, host.natsPort, null)
    client.send('CONNECT {"verbose":false}\r\nSUB a.* 1\r\nSUB a.* q 2\r\nSUB c 3\r\nUNSUB 3\r\n')
    await client.fence()
    client.socket.end()
    await gone
    t.strictSame(seen, [
      'client nats: false', 'clientReady true', 'subscribe [{"topic":"a/+","qos":0}]', 'subscribe [{"topic":"a/+","qos":0,"queue":"q"}]',
      'subscribe [{"topic":"c","qos":0}]', 'unsubscribe c', 'ping pingreq', 'unsubscribe a/+,a/+', 'clientDisconnect true'
    ])
    t.equal(broker.connectedClients, 0)
  })

  t.test(`${name}: who waits for a hook is not stale, who then does not answer is`, async (t) => {
    const { host, hooks } = await start(t, { pingInterval: 100, pingMax: 1 })
    let answer = (): void => {}
    hooks.authenticate = (_client, _username, _password, callback) => { answer = () => { callback(null, true) } }
    hooks.authorizePublish = (_client, _packet, callback) => { answer = () => { callback(null) } }
    const client = await connect(t, host.natsPort, null)
    client.answersPings = false
    for (const operation of ['CONNECT {"verbose":false}\r\n', 'PUB a 0\r\n\r\n']) {
      client.send(operation)
      for (let i = 0; i < 5; i++) {
        await client.expect('PING\r\n')
        client.send('PONG\r\n')
      }
      answer()
      client.send('PING\r\n')
      await client.expect(/(PING\r\n)?PONG\r\n/)
    }
    t.match(await client.end(), /PING\r\n-ERR 'Stale Connection'\r\n$/)
  })

  t.test(`${name}: clientError and keepaliveTimeout`, async (t) => {
    const { host } = await start(t, { pingInterval: 20, pingMax: 1 })
    const seen: string[] = []
    host.broker.on('clientError', (client, error) => { seen.push(`${client.id.slice(0, 5)} ${error.message}`) })
    host.broker.on('keepaliveTimeout', () => { seen.push('keepaliveTimeout') })
    const wrong = await connect(t, host.natsPort)
    wrong.send('ZZZ\r\n')
    t.match(await wrong.end(), "-ERR 'Unknown Protocol Operation'\r\n")
    const silent = await connect(t, host.natsPort)
    t.match(await silent.end(), /PING\r\n-ERR 'Stale Connection'\r\n$/)
    t.strictSame(seen, ['nats: unknown protocol operation', 'keepaliveTimeout', 'nats: stale connection'])
  })
}
