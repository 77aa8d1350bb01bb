import { EventEmitter, once } from 'node:events'
import { createRequire } from 'node:module'
import { mock } from 'node:test'
import { Readable } from 'node:stream'
import { connect as connectNats } from '@nats-io/transport-node'
import t, { type Test } from 'tap'
import type { Logger } from '../../lib/index.ts'
import { type AnyAedes, type Host, startHost, versions } from '../helper/brokers.ts'
import { connectMqtt } from '../helper/mqtt.ts'
import { startRedis } from '../helper/processes.ts'
import { connect } from '../helper/raw.ts'
import { startRedisCluster } from '../helper/redis-cluster.ts'
import { startRedisHost } from '../helper/redis-nodes.ts'
import { block, hpub, msg, sorted } from './frames.ts'

const persistenceRedis = createRequire(import.meta.url)('aedes-persistence-redis') as (options: object) => { destroy: () => Promise<void> }

interface RetainedStore {
  createRetainedStreamCombi (topicFilters: string[]): AsyncIterable<object>
}

function storeOf (broker: AnyAedes): RetainedStore {
  return (broker as unknown as { persistence: RetainedStore }).persistence
}

/** Has a host retain messages: by topic. */
async function retain (t: Test, host: Host, messages: Readonly<Record<string, string>>): Promise<void> {
  const device = await connectMqtt(t, host.mqttUrl)
  await device.subscribe(Object.keys(messages), { qos: 0 })
  for (const [topic, payload] of Object.entries(messages)) {
    await device.publish(topic, payload, { qos: 1, retain: true })
    // Aedes acknowledges before it stores, and sends on what it has stored.
    for (let isLive = false; !isLive;) isLive = (await device.take()).some((received) => received.topic === topic && !received.retain)
  }
}

const marked = block('Nmqtt-Pub: 1', 'Nmqtt-Retain: true')
const asked = block('Nmqtt-Retain: true')

/** Makes the store wait before each message, and says when it is asked. */
function slow (broker: AnyAedes): { asked: Promise<void>, proceed: () => void } {
  const store = storeOf(broker)
  const read = store.createRetainedStreamCombi.bind(store)
  let proceed = (): void => {}
  const permitted = new Promise<void>((resolve) => { proceed = resolve })
  let ask = (): void => {}
  const asked = new Promise<void>((resolve) => { ask = resolve })
  async function * late (topicFilters: string[]): AsyncGenerator<object> {
    ask()
    await permitted
    yield * read(topicFilters)
  }
  store.createRetainedStreamCombi = (topicFilters) => Readable.from(late(topicFilters))
  return { asked, proceed }
}

interface Setting {
  readonly name: string
  start (t: Test, nats?: object): Promise<Host>
}

const settings: Setting[] = versions.map(({ name, create }) => ({ name, start: (t, nats) => startHost(t, { create, nats: { retained: true, ...nats } }) }))

settings.push({
  name: 'on Redis',
  async start (t, nats) {
    const { port } = await startRedis(t)
    return await startRedisHost(t, port, { nats: { retained: true, ...nats } })
  }
})

for (const { name, start } of settings) {
  t.test(name, async (t) => {
    t.test('a new subscription gets what is retained, each once, by the rules of NATS', async (t) => {
      const host = await start(t)
      await retain(t, host, { foo: '0', 'foo/a': '1', 'foo/a/b': '2', 'v1.0/x': '3', 's[1]/a': '4', 's1/a': '5', $x: '6', '$x/a': '7', 'a//b': '8' })
      const client = await connect(t, host.natsPort)
      const rows: [string, ...[string, string][]][] = [
        ['foo', ['foo', '0']],
        ['foo.*', ['foo.a', '1']],
        ['foo.>', ['foo.a', '1'], ['foo.a.b', '2']],
        ['*.a', ['foo.a', '1'], ['s1.a', '5'], ['s[1].a', '4']],
        ['s[1].*', ['s[1].a', '4']],
        ['s[1].a', ['s[1].a', '4']],
        ['v1//0.x', ['v1//0.x', '3']],
        ['a./.b', ['a./.b', '8']],
        ['$x.>', ['$x.a', '7']],
        ['$x', ['$x', '6']],
        ['a/b.>'],
        ['nothing.>'],
        ['>', ['a./.b', '8'], ['foo', '0'], ['foo.a', '1'], ['foo.a.b', '2'], ['s1.a', '5'], ['s[1].a', '4'], ['v1//0.x', '3']]
      ]
      for (const [i, [subject, ...wanted]] of rows.entries()) {
        client.send(`SUB ${subject} ${i}\r\n`)
        t.strictSame(sorted(await client.fence()), wanted.map(([topic, payload]) => msg(topic, String(i), payload, marked)).sort(), subject)
        client.send(`UNSUB ${i}\r\n`)
      }
    })

    t.test('a NATS client sets and clears what is retained', async (t) => {
      const host = await start(t, { publish: { 'state.*': { retain: true } } })
      const client = await connect(t, host.natsPort)
      const header = block('Nmqtt-Retain: true', 'Unit: C')
      client.send(hpub('a.b', header, '21') + hpub('$x', header, '22') + 'PUB state.x 2\r\non\r\nPUB a.c 1\r\nx\r\n')
      await client.fence()
      const device = await connectMqtt(t, host.mqttUrl)
      await device.subscribe(['a/b', '$x', 'state/x', 'a/c'])
      const got = await device.take(3)
      t.strictSame(got.map(({ topic, payload, retain, qos }) => [topic, payload.toString(), retain, qos]).sort(), [['$x', '22', true, 0], ['a/b', '21', true, 0], ['state/x', 'on', true, 0]])
      const other = await connect(t, host.natsPort)
      other.send('SUB > 1\r\n')
      t.strictSame(sorted(await other.fence()), [msg('$x', '1', '22', header), msg('a.b', '1', '21', header), msg('state.x', '1', 'on', asked)], 'a filter with a wildcard gets what begins with $ from NATS clients')
      client.send(hpub('a.b', asked, '') + 'PUB state.x 0\r\n\r\n')
      await client.fence()
      const later = await connect(t, host.natsPort)
      later.send('SUB > 1\r\n')
      t.equal(await later.fence(), msg('$x', '1', '22', header))
    })

    t.test('live messages wait for what is retained, and one that is there as both comes live', async (t) => {
      const host = await start(t)
      await retain(t, host, { 'a/old': 'old', 'a/new': 'old' })
      const device = await connectMqtt(t, host.mqttUrl)
      await device.subscribe('fence')
      const store = slow(host.broker)
      const client = await connect(t, host.natsPort)
      const publisher = await connect(t, host.natsPort)
      client.send('SUB a.* 1\r\n')
      await store.asked
      publisher.send(`PUB a.old 4\r\nlive\r\n${hpub('a.nats', asked, 'new')}`)
      t.equal(await publisher.fence(), '')
      for (const text of ['new', 'newer']) await device.publish('a/new', text, { qos: 1, retain: true })
      // What an MQTT client has published is there when it comes back to it.
      await device.publish('fence', '')
      await device.take()
      store.proceed()
      const text = await client.fence()
      t.ok(text.startsWith(msg('a.old', '1', 'old', marked)), text)
      t.strictSame(sorted(text), [
        msg('a.nats', '1', 'new', asked), msg('a.new', '1', 'new', block('Nmqtt-Pub: 1')), msg('a.new', '1', 'newer', block('Nmqtt-Pub: 1')),
        msg('a.old', '1', 'old', marked), msg('a.old', '1', 'live')
      ])
      t.ok(text.indexOf('new\r\n') < text.indexOf('newer\r\n'))
    })
  })
}

/** A host whose store of retained messages is a stream of one's own. */
async function startMadeUp (t: Test, stream: () => AsyncIterable<object> | Iterable<object>, nats: object = {}, aedes: object = {}): Promise<Host> {
  const host = await startHost(t, { aedes, nats: { retained: true, ...nats } })
  storeOf(host.broker).createRetainedStreamCombi = () => Readable.from(stream())
  return host
}

function packet (topic: string, payload: string, more: object = {}): object {
  return { cmd: 'publish', topic, payload: Buffer.from(payload), qos: 1, retain: true, dup: false, brokerId: 'b', brokerCounter: 1, ...more }
}

function silentLogger (error: (text: string) => void = () => {}): Logger {
  const nothing = (): void => {}
  return { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: (_, text) => { error(text) } }
}

t.test('any persistence: what it gives twice, or too much of, or too late', async (t) => {
  const host = await startMadeUp(t, () => [
    packet('a/x', 'first'), packet('b/x', 'another'), packet('a/x', 'again'), packet('a', 'parent'), packet('a/nul\0', 'none'), packet('$a/x', 'hidden'),
    packet('a/y', 'expired', { messageExpiry: Date.now() - 1, properties: { messageExpiryInterval: 60 } }),
    packet('a/y', 'expired', { messageExpiry: Date.now() - 1 }),
    packet('a/z', 'lives', { messageExpiry: Date.now() + 3_600_000, properties: { messageExpiryInterval: 86_400 }, qos: 0 })
  ])
  const client = await connect(t, host.natsPort)
  client.send('SUB a.> 1\r\n')
  t.equal(await client.fence(), msg('a.x', '1', 'first', marked) + msg('a.z', '1', 'lives', block('Nmqtt-Pub: 0', 'Nmqtt-Retain: true', 'Nmqtt-Expiry: 3600')))
  client.send('SUB *.x 2\r\n')
  t.equal(await client.fence(), msg('a.x', '2', 'first', marked) + msg('b.x', '2', 'another', marked))
})

// With a wildcard too few are found, by MQTT clients too: aedes-persistence-redis takes a page of keys for one key there
// (clusterMatchRetained).
t.test('Redis Cluster: by topic', async (t) => {
  const { nodes } = await startRedisCluster(t)
  const persistence = persistenceRedis({ cluster: nodes })
  t.teardown(() => persistence.destroy())
  const host = await startHost(t, { aedes: { persistence } as object, nats: { retained: true } })
  await retain(t, host, { 'one/a': '1', 'one/b': '2', 's[1]/a': '3', 'two/a': '4' })
  const client = await connect(t, host.natsPort)
  client.send('SUB one.a 1\r\nSUB s[1].a 2\r\nSUB two.a 3\r\n')
  t.strictSame(sorted(await client.fence()), [msg('one.a', '1', '1', marked), msg('s[1].a', '2', '3', marked), msg('two.a', '3', '4', marked)])
})

t.test('the rest of its life, of a retained message of an MQTT 5 client', async (t) => {
  const host = await startHost(t, { nats: { retained: true } })
  const device = await connectMqtt(t, host.mqttUrl, { protocolVersion: 5 })
  await device.publish('a', 'x', { qos: 1, retain: true, properties: { messageExpiryInterval: 3600, contentType: 'text/plain' } })
  const client = await connect(t, host.natsPort)
  client.send('SUB a 1\r\n')
  t.match(await client.fence(), /^HMSG a 1 \d+ \d+\r\nNATS\/1\.0\r\nNmqtt-Pub: 1\r\nNmqtt-Retain: true\r\nNmqtt-Content-Type: text\/plain\r\nNmqtt-Expiry: 3\d+\r\n\r\nx\r\n$/)
})

t.test('none without the option, which may change, and none for queue groups', async (t) => {
  const host = await startHost(t)
  await retain(t, host, { a: '1' })
  const client = await connect(t, host.natsPort)
  client.send('SUB a 1\r\n')
  t.equal(await client.fence(), '')
  host.gateway.update({ retained: true })
  client.send('SUB a workers 2\r\nSUB a acked.workers 3\r\n')
  t.equal(await client.fence(), '')
  client.send('SUB a 4\r\n')
  t.equal(await client.fence(), msg('a', '4', '1', marked))
  const plain = await connect(t, host.natsPort, { headers: false, no_responders: false })
  plain.send('SUB a 1\r\n')
  t.equal(await plain.fence(), msg('a', '1', '1'), 'a client without headers')
})

t.test('UNSUB counts retained messages too', async (t) => {
  const host = await startHost(t, { nats: { retained: true } })
  await retain(t, host, { 'a/1': '', 'a/2': 'x', 'a/3': 'x', 'a/4': 'x', 'a/5': 'x' })
  const client = await connect(t, host.natsPort)
  client.send('SUB a.* 1\r\nUNSUB 1 3\r\n')
  t.equal(sorted(await client.fence()).length, 3)
  t.equal(host.gateway.subscriptions, 0)
  client.send('SUB a.* 1\r\nUNSUB 1\r\n')
  t.equal(await client.fence(), '')
  client.send('SUB a.* 1\r\nUNSUB 1 5\r\n')
  t.equal(sorted(await client.fence()).length, 4)
  client.send('PUB a.b 1\r\ny\r\nPUB a.b 1\r\nz\r\n')
  t.equal(await client.fence(), msg('a.b', '1', 'y'))
})

t.test('flush() of a client library says that all is there', async (t) => {
  const host = await startHost(t, { nats: { retained: true } })
  await retain(t, host, { 'a/1': 'x', 'a/2': 'y' })
  const service = await connectNats({ servers: host.natsUrl })
  t.teardown(() => service.close())
  const got: string[] = []
  service.subscribe('a.*', { callback: (_, message) => { got.push(`${message.subject} ${message.string()} ${message.headers?.get('Nmqtt-Retain')}`) } })
  await service.flush()
  t.strictSame(got.sort(), ['a.1 x true', 'a.2 y true'])
})

t.test('authorizeForward sees retained messages', async (t) => {
  const seen: object[] = []
  const host = await startHost(t, {
    nats: { retained: true },
    aedes: {
      authorizeForward: (client, packet) => {
        if ((client as unknown as { protocol?: string }).protocol !== 'nats') return packet
        seen.push({ topic: packet.topic, retain: packet.retain, qos: packet.qos })
        if (packet.topic === 'a/secret') return null
        return Object.assign(packet, { payload: Buffer.from('changed') })
      }
    }
  })
  await retain(t, host, { 'a/secret': 'x', 'a/b': 'y' })
  const client = await connect(t, host.natsPort)
  client.send('SUB a.* 1\r\n')
  t.equal(await client.fence(), msg('a.b', '1', 'changed', marked))
  t.strictSame(seen, [{ topic: 'a/secret', retain: true, qos: 1 }, { topic: 'a/b', retain: true, qos: 1 }])
})

t.test('a client without echo does not get what it had retained itself', async (t) => {
  const host = await startHost(t, { nats: { retained: true } })
  const quiet = await connect(t, host.natsPort, { echo: false })
  const loud = await connect(t, host.natsPort)
  quiet.send(hpub('a', asked, '1') + 'SUB a 1\r\n')
  t.equal(await quiet.fence(), '')
  loud.send('SUB a 1\r\n' + hpub('b', asked, '2') + 'SUB b 2\r\n')
  t.equal(await loud.fence(), msg('a', '1', '1', asked) + msg('b', '2', '2', asked))
})

t.test('a verbose client gets +OK first', async (t) => {
  const host = await startHost(t, { nats: { retained: true } })
  await retain(t, host, { a: '1', b: '2' })
  const client = await connect(t, host.natsPort, null)
  client.send('CONNECT {"verbose":true,"headers":true}\r\nSUB a 1\r\nSUB b 2\r\n')
  t.equal(await client.fence(), `+OK\r\n+OK\r\n${msg('a', '1', '1', marked)}+OK\r\n${msg('b', '2', '2', marked)}`)
})

t.test('one SUB of a client reads at a time; what else it sends goes on', async (t) => {
  const host = await startHost(t, { nats: { retained: true } })
  await retain(t, host, { a: '1', b: '2' })
  const store = slow(host.broker)
  const client = await connect(t, host.natsPort)
  const other = await connect(t, host.natsPort)
  client.send('PUB c 1\r\nx\r\nSUB a 1\r\nPUB c 1\r\ny\r\nUNSUB 1\r\nSUB b 2\r\n')
  await store.asked
  t.equal(host.gateway.subscriptions, 0, 'neither the one that is gone nor the next one')
  other.send('PUB b 1\r\nx\r\n')
  await other.fence()
  store.proceed()
  t.equal(await client.fence(), msg('b', '2', '2', marked))
})

t.test('a store that fails is logged, and the subscription lives', async (t) => {
  const errors: string[] = []
  const host = await startMadeUp(t, async function * () {
    yield packet('a', '1')
    throw new Error('disk gone')
  }, { logger: silentLogger((text) => { errors.push(text) }) })
  const client = await connect(t, host.natsPort)
  client.send('SUB > 1\r\n')
  t.equal(await client.fence(), msg('a', '1', '1', marked))
  t.strictSame(errors, ['cannot read the retained messages of >: disk gone'])
  client.send('PUB b 1\r\nx\r\n')
  t.equal(await client.fence(), msg('b', '1', 'x'))
})

t.test('a store that says nothing is not waited for for ever', async (t) => {
  const errors: string[] = []
  let ask = (): void => {}
  const reading = new Promise<void>((resolve) => { ask = resolve })
  const host = await startMadeUp(t, async function * () {
    yield packet('a', '1')
    ask()
    await new Promise(() => {})
  }, { logger: silentLogger((text) => { errors.push(text) }) })
  const client = await connect(t, host.natsPort)
  const publisher = await connect(t, host.natsPort)
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => { mock.timers.reset() })
  client.send('SUB > 1\r\nPING\r\n')
  await reading
  publisher.send('PUB b 1\r\nx\r\n')
  await publisher.fence()
  mock.timers.tick(30_000)
  await client.expect(msg('a', '1', '1', marked) + msg('b', '1', 'x') + 'PONG\r\n')
  t.strictSame(errors, ['cannot read the retained messages of >: no answer within 30 s'])
})

t.test('a connection that closes meanwhile ends the reading', async (t) => {
  const ends = new EventEmitter()
  const ended = once(ends, 'end')
  const host = await startMadeUp(t, async function * () {
    try {
      for (;;) yield packet(`a/${Math.random()}`, 'x'.repeat(65_536))
    } finally {
      ends.emit('end')
    }
  }, { maxPending: 1_100_000 })
  const client = await connect(t, host.natsPort)
  client.send('SUB > 1\r\n')
  await client.expect(/HMSG/)
  client.socket.destroy()
  await ended
  t.equal(host.gateway.subscriptions, 0)
})

t.test('a reader that lags is not overrun', async (t) => {
  const count = 80
  const host = await startMadeUp(t, function * () {
    for (let i = 0; i < count; i++) yield packet(`a/${i}`, 'x'.repeat(65_536))
  }, { maxPending: 1_100_000 })
  const client = await connect(t, host.natsPort)
  client.send('SUB > 1\r\n')
  t.equal((await client.fence()).match(/^HMSG /gm)?.length, count)
  t.equal(host.gateway.counters.slowConsumers, 0)
})

t.test('live messages that wait count as pending: a client is cut off when they are too many', async (t) => {
  const host = await startHost(t, { nats: { retained: true, maxPayload: 1000, maxPending: 100_000 } })
  const store = slow(host.broker)
  const client = await connect(t, host.natsPort)
  const publisher = await connect(t, host.natsPort)
  client.send('SUB > 1\r\n')
  await store.asked
  publisher.send(`PUB a 1000\r\n${'x'.repeat(1000)}\r\n`.repeat(101))
  t.equal(await client.end(), '')
  t.equal(host.gateway.counters.slowConsumers, 1)
  store.proceed()
  await publisher.fence()
})
