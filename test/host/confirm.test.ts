import t from 'tap'
import type { AedesOptions } from 'aedes'
import type { HostBroker, HostHooks, PublishPacket } from '../../lib/broker/host.ts'
import { type AnyAedes, startBroker, type Teardown, versions } from '../helper/brokers.ts'
import { addOffline, startLink, until, waitingFor } from '../helper/links.ts'
import { connectMqtt } from '../helper/mqtt.ts'
import { connectRaw } from '../helper/raw-mqtt.ts'

// PUBACK only once a message is stored.

/** Holds everything that is stored until told, and counts. */
class HeldStore {
  /** Topics in the order in which they came. */
  readonly topics: string[] = []
  private waiting: { resolve: () => void, reject: (error: Error) => void }[] = []
  hold = true

  constructor (broker: AnyAedes) {
    const { persistence } = broker as unknown as HostBroker
    const { outgoingEnqueueCombi } = persistence
    const store = this
    persistence.outgoingEnqueueCombi = async function (subscriptions, packet) {
      store.topics.push(packet.topic)
      if (store.hold) await new Promise<void>((resolve, reject) => { store.waiting.push({ resolve, reject }) })
      return await outgoingEnqueueCombi.call(this, subscriptions, packet)
    }
  }

  get count (): number { return this.waiting.length }

  go (): void { for (const { resolve } of this.waiting.splice(0)) resolve() }
  fail (message: string): void { for (const { reject } of this.waiting.splice(0)) reject(new Error(message)) }
}

const runs = versions.flatMap(({ name, mqtt5, create }) => (mqtt5 ? [4, 5] as const : [4] as const).map((version) => ({
  name: `${name}, MQTT ${version}`, version, create
})))

interface Setup {
  readonly broker: AnyAedes
  readonly mqttPort: number
  readonly store: HeldStore
  readonly hooks: HostHooks
  readonly close: () => void
}

async function setUp (t: Teardown, create: typeof versions[number]['create'], aedes: AedesOptions = {}): Promise<Setup> {
  const { broker, mqttPort } = await startBroker(t, create, aedes)
  broker.on('clientError', () => {})
  const store = new HeldStore(broker)
  const { close } = startLink(t, broker, { confirm: true })
  await addOffline(broker, 'away', 'a/#')
  return { broker, mqttPort, store, hooks: broker as unknown as HostHooks, close }
}

for (const { name, version, create } of runs) {
  t.test(`${name}: no PUBACK before the store has answered, then in the order of publishing`, async (t) => {
    const { broker, mqttPort, store } = await setUp(t, create)
    const client = await connectRaw(t, mqttPort, version)
    // b/x is stored for nobody, but its turn comes after those before it.
    await client.fence(client.publish(1, 'b/first'), client.publish(2, 'a/x'), client.publish(3, 'b/x'), client.publish(4, 'a/y'), client.publish(5, 'a/kept', 'kept', { retain: true }))
    await until(() => store.count === 3 && client.acknowledged.length > 0)
    t.strictSame(client.acknowledged, [1])
    t.strictSame(await waitingFor(broker, 'away'), [])
    store.go()
    await until(() => client.acknowledged.length === 5)
    t.strictSame(client.acknowledged, [1, 2, 3, 4, 5])
    t.strictSame(await waitingFor(broker, 'away'), ['2', '4', 'kept'])
    const late = await connectMqtt(t, `mqtt://127.0.0.1:${mqttPort}`)
    await late.subscribe('a/kept')
    t.equal((await late.take())[0]?.payload.toString(), 'kept')
  })

  t.test(`${name}: a store that fails closes the connection without PUBACK`, async (t) => {
    const { mqttPort, store } = await setUp(t, create)
    const client = await connectRaw(t, mqttPort, version)
    const other = await connectRaw(t, mqttPort, version)
    client.send(client.publish(1, 'a/x'), client.publish(2, 'b/x'))
    other.send(other.publish(9, 'b/x'))
    await until(() => store.count === 1)
    store.fail('disk full')
    await until(() => client.closed)
    t.strictSame(client.got.map(({ cmd }) => cmd), ['connack'])
    await until(() => other.acknowledged.length === 1)
    t.notOk(other.closed)
  })

  t.test(`${name}: a retained message that cannot be stored closes the connection without PUBACK`, async (t) => {
    const { broker, mqttPort } = await setUp(t, create)
    Object.assign((broker as unknown as { persistence: object }).persistence, { storeRetained: () => Promise.reject(new Error('disk full')) })
    const client = await connectRaw(t, mqttPort, version)
    client.send(client.publish(1, 'b/x', 'x', { retain: true }))
    await until(() => client.closed)
    t.strictSame(client.acknowledged, [])
  })

  t.test(`${name}: PUBACK does not wait for a slow subscriber`, async (t) => {
    const { broker, mqttPort, store } = await setUp(t, create)
    store.hold = false
    const delivering: (() => void)[] = []
    broker.subscribe('a/#', (_packet, done) => { delivering.push(done) }, () => {})
    const client = await connectRaw(t, mqttPort, version)
    client.send(client.publish(1, 'a/x'), client.publish(2, 'a/x'), client.publish(3, 'a/x'))
    await until(() => client.acknowledged.length === 3)
    t.equal(delivering.length, 3, 'nothing is delivered yet')
    for (const done of delivering) done()
  })

  t.test(`${name}: hooks run once, and what they change is what is stored`, async (t) => {
    const { broker, mqttPort, store, hooks } = await setUp(t, create)
    store.hold = false
    const asked: string[] = []
    const published: string[] = []
    const emitted: string[] = []
    broker.on('publish', (packet) => { if (!packet.topic.startsWith('$SYS/')) emitted.push(packet.payload.toString()) })
    hooks.authorizePublish = (_client, packet, done) => {
      asked.push(packet.payload.toString())
      packet.payload = Buffer.from(`changed ${packet.payload.toString()}`)
      setImmediate(done, null)
    }
    hooks.published = (packet, client, done) => {
      if (client !== null) published.push(packet.payload.toString())
      done(null)
    }
    const client = await connectRaw(t, mqttPort, version)
    client.send(client.publish(1, 'a/x'), client.publish(2, 'a/y', '2', { qos: 2 }), client.publish(3, 'a/z'))
    await until(() => client.acknowledged.length === 2 && emitted.length === 3)
    t.strictSame(asked, ['1', '2', '3'])
    const changed = ['changed 1', 'changed 2', 'changed 3']
    t.strictSame([...published].sort(), changed)
    t.strictSame([...emitted].sort(), changed)
    t.strictSame([...await waitingFor(broker, 'away')].sort(), changed)
    t.equal(store.topics.length, 3)
    t.equal(client.got.filter(({ cmd }) => cmd === 'pubrec').length, 1)
  })

  t.test(`${name}: a hook that calls the one before it is one hook`, async (t) => {
    const { mqttPort, store, hooks } = await setUp(t, create)
    let first = 0
    let second = 0
    hooks.authorizePublish = (_client, _packet, done) => {
      first++
      done(null)
    }
    const before = hooks.authorizePublish
    hooks.authorizePublish = (client, packet, done) => {
      second++
      before.call(hooks, client, packet.topic === 'a/copy' ? { ...packet } : packet, done)
    }
    const client = await connectRaw(t, mqttPort, version)
    await client.fence(client.publish(1, 'a/x'), client.publish(2, 'a/copy'))
    await until(() => store.count === 2)
    t.strictSame(client.acknowledged, [])
    store.go()
    await until(() => client.acknowledged.length === 2)
    await client.fence()
    t.strictSame([first, second, store.topics], [2, 2, ['a/x', 'a/copy']])
  })

  t.test(`${name}: what a hook refuses is answered as without confirm, in its turn`, async (t) => {
    const { broker, mqttPort, store, hooks } = await setUp(t, create)
    hooks.authorizePublish = (_client, packet, done) => { done(packet.topic === 'a/no' ? new Error('no') : null) }
    const client = await connectRaw(t, mqttPort, version)
    await client.fence(client.publish(1, 'a/x'), client.publish(2, 'a/no'), client.publish(3, 'a/y'))
    await until(() => store.count === 2)
    t.strictSame(client.acknowledged, [])
    store.go()
    if (version === 5) {
      await until(() => client.acknowledged.length === 3)
      t.strictSame(client.got.flatMap((packet) => packet.cmd === 'puback' ? [[packet.messageId, packet.reasonCode ?? 0]] : []), [[1, 0], [2, 0x87], [3, 0]])
    } else {
      await until(() => client.closed)
      t.strictSame(await waitingFor(broker, 'away'), ['1', '3'])
    }
  })

  t.test(`${name}: a wrap of publish that the host made later is asked, and what it makes of a packet is published once`, async (t) => {
    const { broker, mqttPort, store } = await setUp(t, create)
    store.hold = false
    const { publish } = broker
    broker.publish = function (this: unknown, packet: PublishPacket, ...rest: unknown[]) {
      const copy = packet.qos === 1 ? { ...packet, topic: `${packet.topic}/copy` } : packet
      return (publish as (...args: unknown[]) => unknown).call(this, copy, ...rest)
    } as typeof publish
    const client = await connectRaw(t, mqttPort, version)
    for (let i = 1; i <= 3; i++) {
      client.send(client.publish(i, 'a/x'))
      await until(() => client.acknowledged.length === i)
    }
    await client.fence()
    t.strictSame(store.topics, ['a/x/copy', 'a/x/copy', 'a/x/copy'])
  })

  t.test(`${name}: a message that the host makes from another one is a message of its own`, async (t) => {
    const { broker, mqttPort, store, hooks } = await setUp(t, create)
    store.hold = false
    const host = broker as unknown as HostBroker
    hooks.published = (packet, client, done) => {
      done(null)
      if (packet.topic === 'a/x') host.publish({ ...packet, topic: 'a/made' }, client, () => {})
    }
    const client = await connectRaw(t, mqttPort, version)
    for (let i = 1; i <= 20; i++) client.send(client.publish(i, 'a/x'))
    await until(() => client.acknowledged.length === 20 && store.topics.length >= 40)
    await client.fence()
    t.strictSame([store.topics.filter((topic) => topic === 'a/x').length, store.topics.filter((topic) => topic === 'a/made').length], [20, 20])
  })

  t.test(`${name}: a client that uses an id again too early loses nothing`, async (t) => {
    const { broker, mqttPort, store } = await setUp(t, create)
    const client = await connectRaw(t, mqttPort, version)
    client.send(client.publish(1, 'a/x', 'one'), client.publish(1, 'a/x', 'two'), client.publish(1, 'a/x', 'three'))
    for (let i = 1; i <= 3; i++) {
      await until(() => store.count === 1)
      t.equal(client.acknowledged.length, i - 1)
      store.go()
      await until(() => client.acknowledged.length === i)
    }
    t.strictSame(await waitingFor(broker, 'away'), ['one', 'two', 'three'])
  })

  t.test(`${name}: wills are published once, and a publisher that goes hurts nobody`, async (t) => {
    const { broker, mqttPort, store } = await setUp(t, create)
    const errors: string[] = []
    broker.on('clientError', (_client, error) => { errors.push(error.message) })
    const client = await connectRaw(t, mqttPort, version, { will: { topic: 'a/will', payload: Buffer.from('will'), qos: 1, retain: false } })
    client.send(client.publish(1, 'a/x'))
    await until(() => store.count === 1)
    client.destroy()
    await until(() => broker.connectedClients === 0 && store.topics.length === 2)
    store.go()
    await until(() => store.count === 0)
    const other = await connectRaw(t, mqttPort, version)
    other.send(other.publish(1, 'b/x'))
    await until(() => other.acknowledged.length === 1)
    await until(() => store.topics.length === 2)
    t.strictSame(await waitingFor(broker, 'away'), ['1', 'will'])
    t.strictSame(errors, [])
  })

  t.test(`${name}: closing the gateway restores the broker, and what is under way is published once`, async (t) => {
    const { broker, mqttPort } = await startBroker(t, create)
    const store = new HeldStore(broker)
    const names = ['authorizePublish', 'publish', 'preConnect', 'published'] as const
    const describe = (): unknown => names.map((key) => Object.getOwnPropertyDescriptor(broker, key))
    const keys = Object.keys(broker)
    const before = describe()
    const { link, close } = startLink(t, broker, { confirm: true })
    t.ok(link.publishesByDefault)
    await addOffline(broker, 'away', 'a/#')
    const client = await connectRaw(t, mqttPort, version)
    client.send(client.publish(1, 'a/x'))
    await until(() => store.count === 1)
    close()
    store.go()
    await until(() => client.acknowledged.length === 1)
    await until(() => Object.getOwnPropertyDescriptor(broker, 'publish') === undefined)
    client.send(client.publish(2, 'a/y'))
    await until(() => store.count === 1)
    // As Aedes has it.
    await until(() => client.acknowledged.length === 2)
    store.go()
    t.strictSame(describe(), before)
    t.strictSame(Object.keys(broker), keys)
    await until(() => store.topics.length === 2)
    t.strictSame(store.topics, ['a/x', 'a/y'])
  })
}

t.test('a hook reads back as one that asks it, and the default one as the default', async (t) => {
  const { broker } = await startBroker(t)
  const hooks = broker as unknown as HostHooks
  const { link, close } = startLink(t, broker, { confirm: true })
  const byDefault = hooks.authorizePublish
  t.ok(link.publishesByDefault)
  const denied = (packet: object): Promise<unknown> => new Promise((resolve) => { hooks.authorizePublish(null, packet as PublishPacket, resolve) })
  t.match(await denied({ topic: '$SYS/x' }), { message: /reserved/ })
  const hook: HostHooks['authorizePublish'] = (_client, _packet, done) => { done(new Error('mine')) }
  hooks.authorizePublish = hook
  t.notOk(link.publishesByDefault)
  t.match(await denied({ topic: 'a' }), { message: 'mine' })
  hooks.authorizePublish = byDefault
  t.ok(link.publishesByDefault)
  hooks.authorizePublish = hook
  close()
  t.equal(hooks.authorizePublish, hook)
})

t.test('topic aliases are resolved before a message is stored', async (t) => {
  const { broker, mqttPort, store } = await setUp(t, versions[1]?.create as never, { topicAliasMaximum: 10 } as AedesOptions)
  store.hold = false
  const client = await connectRaw(t, mqttPort, 5)
  client.send(client.publish(1, 'a/alias', '1', { properties: { topicAlias: 3 } }), client.publish(2, '', '2', { properties: { topicAlias: 3 } }))
  await until(() => client.acknowledged.length === 2)
  t.strictSame(store.topics, ['a/alias', 'a/alias'])
  t.strictSame(await waitingFor(broker, 'away'), ['1', '2'])
})
