import t from 'tap'
import mqtt from 'mqtt'
import type { Facade } from '../../lib/broker/facade.ts'
import type { HostHooks, MessageQueue } from '../../lib/broker/host.ts'
import { type Broker, createGateway } from '../../lib/index.ts'
import { startBroker, startHost, versions } from '../helper/brokers.ts'
import { connectMqtt } from '../helper/mqtt.ts'
import { connect } from '../helper/raw.ts'

for (const { name, create, mqtt5 } of versions) {
  t.test(`${name}: closing the gateway leaves the broker as it was`, async (t) => {
    const { broker, mqttPort } = await startBroker(t, create)
    const { mq } = broker as unknown as { mq: MessageQueue }
    const before = { ...Object.getOwnPropertyDescriptors(broker) }
    const queueBefore = { ...Object.getOwnPropertyDescriptors(mq) }
    const gateway = await createGateway(broker as Broker, { host: '127.0.0.1', port: 0 })
    const client = await connect(t, gateway.port)
    client.send('SUB a.> 1\r\nSUB a.b 2\r\n')
    await client.fence()
    await gateway.close()
    await gateway.close()
    await client.end()
    const after = Object.getOwnPropertyDescriptors(broker)
    for (const key of ['preConnect', 'publish', 'authenticate', 'authorizePublish', 'authorizeSubscribe', 'authorizeForward', 'published']) {
      t.strictSame(after[key as keyof typeof after], before[key as keyof typeof before], key)
    }
    t.strictSame(Object.keys(Object.getOwnPropertyDescriptors(mq)).sort(), Object.keys(queueBefore).sort())
    t.equal(broker.connectedClients, 0)
    t.equal(broker.listenerCount('closed'), 0)
    await new Promise((resolve) => { setImmediate(resolve) })
    t.strictSame((mq._matcher as unknown as { match (topic: string): unknown[] }).match('a/b'), [], 'no listener of ours is left')

    const peer = await connectMqtt(t, `mqtt://127.0.0.1:${mqttPort}`)
    await peer.subscribe('x')
    await peer.publish('x', 'still here')
    t.equal((await peer.take())[0]?.payload.toString(), 'still here')
  })

  t.test(`${name}: what somebody wrapped later stays, and our part of it falls silent`, async (t) => {
    const { broker } = await startBroker(t, create)
    const { mq } = broker as unknown as { mq: MessageQueue }
    const hooks = broker as unknown as HostHooks
    const gateway = await createGateway(broker as Broker, { host: '127.0.0.1', port: 0 })
    const ours = mq.on
    const theirs = function (this: MessageQueue, ...args: Parameters<MessageQueue['on']>): unknown { return ours.apply(this, args) }
    mq.on = theirs
    const guarded = hooks.preConnect
    let asked = 0
    hooks.preConnect = (client, packet, callback) => {
      asked++
      guarded.call(hooks, client, packet, callback)
    }
    hooks.preConnect({ protocol: 'mqtt' }, { clientId: 'x' } as never, () => {})
    t.equal(asked, 1, 'a hook that calls the one before does not call itself')
    await gateway.close()
    t.equal(mq.on, theirs)
    hooks.preConnect({ protocol: 'mqtt' }, { clientId: 'nats:x' } as never, (error) => { t.equal(error, null) })
    t.equal(asked, 2)
    await new Promise<void>((resolve) => { broker.subscribe('a', (_packet, done) => { done() }, resolve) })
  })

  t.test(`${name}: an MQTT client may not have an id of ours`, async (t) => {
    const host = await startHost(t, { create })
    const hooks = host.broker as unknown as HostHooks
    for (const protocolVersion of mqtt5 ? [4, 5] as const : [4] as const) {
      for (const set of [false, true]) {
        // Also when the host sets its own hook after the gateway.
        if (set) hooks.preConnect = (_client, _packet, callback) => { callback(null, true) }
        const client = mqtt.connect(host.mqttUrl, { clientId: 'nats:x', protocolVersion, reconnectPeriod: 0 })
        const error = await new Promise<Error>((resolve) => { client.on('error', resolve) })
        t.match(error.message, /Identifier/i)
        await client.endAsync(true)
      }
    }
    await connectMqtt(t, host.mqttUrl, { clientId: 'natsx' })
    t.equal(host.broker.connectedClients, 1)
  })

  t.test(`${name}: closing the broker first hurts nobody`, async (t) => {
    const { broker } = await startBroker(t, create)
    const gateway = await createGateway(broker as Broker, { host: '127.0.0.1', port: 0 })
    const client = await connect(t, gateway.port)
    client.send('SUB > 1\r\nPUB a 0\r\n\r\n')
    await client.fence()
    await new Promise<void>((resolve) => { broker.close(() => { resolve() }) })
    await client.end()
    t.equal(gateway.clients.size, 0)
    await gateway.close()
    await t.rejects(gateway.listen(), { code: 'NATS_ERR_CLOSED' })
    await t.rejects(createGateway(broker as Broker, { port: 0 }), { code: 'NATS_ERR_BROKER' })
  })

  t.test(`${name}: another node that starts and stops hurts nobody`, async (t) => {
    const host = await startHost(t, { create })
    const client = await connect(t, host.natsPort)
    const mqttPeer = await connectMqtt(t, host.mqttUrl)
    const [facade] = Object.values((host.broker as unknown as { clients: Record<string, Facade> }).clients)
    if (facade !== undefined) facade.duplicates['other'] = 5
    // What a node of the same cluster publishes at its birth, when one of its clients connects, and from time to time.
    for (const topic of ['$SYS/other/birth', '$SYS/other/heartbeat', '$SYS/other/birth']) {
      await new Promise<void>((resolve) => { host.broker.publish({ topic, payload: Buffer.from('other') } as never, () => { resolve() }) })
    }
    t.equal(facade?.duplicates['other'], undefined)
    client.send('SUB a 1\r\nPUB a 0\r\n\r\n')
    t.equal(await client.fence(), 'MSG a 1 0\r\n\r\n')
    // A client of that node has this id: Aedes closes ours.
    const [own] = Object.keys((host.broker as unknown as { clients: object }).clients).filter((id) => id.startsWith('nats:'))
    await new Promise<void>((resolve) => { host.broker.publish({ topic: '$SYS/other/new/clients', payload: Buffer.from(own ?? '') } as never, () => { resolve() }) })
    await client.end()
    t.equal(host.broker.connectedClients, 1)
    t.ok(mqttPeer.client.connected)
  })

  t.test(`${name}: the host uses a NATS client as it uses others`, async (t) => {
    const host = await startHost(t, { create })
    const client = await connect(t, host.natsPort, { name: 'x' })
    client.send('SUB a.b 1\r\nSUB a.* q 2\r\nSUB c 3\r\n')
    await client.fence()
    const [facade] = Object.values((host.broker as unknown as { clients: Record<string, Facade> }).clients) as [Facade]
    t.strictSame(Object.keys(facade.subscriptions).sort(), ['a/+', 'a/b', 'c'])
    await new Promise<void>((resolve) => { facade.publish({ topic: 'a/b', payload: 'only you' } as never, () => { resolve() }) })
    await client.expect(/MSG a.b [12] 8\r\nonly you\r\nMSG a.b [12] 8\r\nonly you\r\n/)
    facade.publish({ topic: 'none\0', payload: '' } as never)
    await new Promise<void>((resolve) => {
      facade.subscribe({ topic: 'x', qos: 0 }, (error) => {
        t.match(error, { code: 'NATS_ERR_SUBSCRIBE' })
        resolve()
      })
    })
    facade.subscribe('x')
    for (const topics of ['a/b', ['c'], { unsubscriptions: ['a/+'] }]) await new Promise<void>((resolve) => { facade.unsubscribe(topics, () => { resolve() }) })
    client.send('PUB a.b 0\r\n\r\nPUB c 0\r\n\r\n')
    t.equal(await client.fence(), '')
    t.strictSame(Object.keys(facade.subscriptions), [])
    await new Promise<void>((resolve) => { facade.emptyOutgoingQueue(() => { resolve() }) })
    facade.emptyOutgoingQueue()
    facade.unsubscribe('none')
    let closed = false
    host.broker.on('clientDisconnect', () => { closed = true })
    facade.close(() => { t.ok(closed, 'unregistered before it calls back') })
    await client.end()
    facade.publish({ topic: 'a/b', payload: '' } as never)
    facade.close()
    for (const how of ['callback', 'options', 'error'] as const) {
      const other = await connect(t, host.natsPort)
      const [second] = Object.values((host.broker as unknown as { clients: Record<string, Facade> }).clients) as [Facade]
      if (how === 'callback') second.disconnect(() => {})
      else if (how === 'options') second.disconnect({ reasonCode: 0x8b })
      else second.emit('error', new Error('x'))
      await other.end()
    }
  })
}

t.test('a broker that is none is refused', async (t) => {
  for (const broker of [undefined, null, 5, {}, { publish () {} }]) {
    await t.rejects(createGateway(broker as unknown as Broker), { code: 'NATS_ERR_BROKER' })
  }
})

t.test('a broker of an unknown class has no default hooks', async (t) => {
  const { broker } = await startBroker(t)
  class Other extends (Object.getPrototypeOf(broker) as { constructor: new () => object }).constructor {}
  Object.setPrototypeOf(broker, Other.prototype)
  const known = await createGateway(broker as Broker, { host: '127.0.0.1', port: 0 })
  const client = await connect(t, known.port, null)
  t.equal(client.info['auth_required'], undefined, 'a subclass of Aedes has the hooks of Aedes')
  await known.close()
})
