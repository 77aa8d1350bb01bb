import t from 'tap'
import { Redis } from 'ioredis'
import type { RedisCommands } from '../../lib/broker/batch-store.ts'
import { type AnyAedes, versions } from '../helper/brokers.ts'
import { addOffline, startLink } from '../helper/links.ts'
import { alternate, floodCount } from '../helper/live-order.ts'
import { connectMqtt } from '../helper/mqtt.ts'
import { freePort, startRedis } from '../helper/processes.ts'
import { connectTo, startRedisBroker } from '../helper/redis-brokers.ts'

// What is stored on Redis, in which order, and what comes of it. Each of these fails on Aedes alone.

function publish (broker: AnyAedes, topic: string, payload: string, more: object = {}): Promise<Error | null> {
  return new Promise((resolve) => {
    broker.publish({ cmd: 'publish', topic, payload: Buffer.from(payload), qos: 1, retain: false, dup: false, ...more } as never, (error) => { resolve(error ?? null) })
  })
}

/** All of a Redis by key, with lifetimes; without subscriptions, and broker id and counters as told. */
async function keySpace (redis: Redis, rename: (text: string) => string): Promise<Record<string, unknown>> {
  const space: Record<string, unknown> = {}
  for (const key of (await redis.keys('*')).sort()) {
    const type = await redis.type(key)
    const ttl = await redis.ttl(key)
    const value = type === 'string' ? rename((await redis.getBuffer(key))?.toString('latin1') ?? '') : type === 'list' ? (await redis.lrange(key, 0, -1)).map(rename) : null
    if (value !== null) space[rename(key)] = { value, ttl }
  }
  return space
}

t.test('on Redis', async (t) => {
  const server = await startRedis(t)
  const redis = connectTo(t, server.port)
  // It is called for the lives of a broker too.
  t.beforeEach(async (t) => { if (!t.name.startsWith('life')) await redis.flushall() })

  for (const { name, create } of versions) {
    for (const durables of [false, true]) {
      for (const own of [false, true]) {
        t.test(`${name}: a live subscriber gets all of QoS 1 beside a flood of QoS 0, ${durables ? 'with' : 'without'} durables, ${own ? 'batched' : 'by the host'}`, async (t) => {
          const { broker, url, connection } = await startRedisBroker(t, server.port, { create, shared: true })
          startLink(t, broker, own ? { redis: { connection: connection as RedisCommands } } : {})
          const offline = await connectMqtt(t, url, { clientId: 'offline', clean: false })
          await offline.subscribe('a/#')
          await offline.client.endAsync()
          if (durables) await addOffline(broker, 'nats:/acked.x', 'a/#', 'b/+')
          const [live, publisher, flooder] = await Promise.all([connectMqtt(t, url), connectMqtt(t, url), connectMqtt(t, url)])
          const { published, acknowledged, flood } = await alternate(publisher, flooder, live)
          t.strictSame(acknowledged, published)
          t.equal(flood.length, floodCount)
          const again = await connectMqtt(t, url, { clientId: 'offline', clean: false })
          const even = published.filter((text) => Number(text) % 2 === 0)
          t.strictSame((await again.take(even.length)).map(({ payload }) => payload.toString()), even)
        })
      }
    }

    for (const own of [false, true]) {
      t.test(`${name}: every list is in the order of publishing where sessions overlap in part, ${own ? 'batched' : 'by the host'}`, async (t) => {
        const { broker, connection } = await startRedisBroker(t, server.port, { create })
        startLink(t, broker, own ? { redis: { connection: connection as RedisCommands } } : {})
        // Those that the even ones go to first, too.
        for (const id of ['first', 'second', 'third']) await addOffline(broker, id, 'a/even')
        await addOffline(broker, 'all', 'a/#')
        await addOffline(broker, 'odd', 'a/odd')
        await Promise.all(Array.from({ length: 500 }, (_, i) => publish(broker, i % 2 === 0 ? 'a/even' : 'a/odd', String(i), { retain: i % 7 === 0 })))
        for (const [id, count] of [['first', 250], ['all', 500], ['odd', 250]] as const) {
          const counters = (await redis.lrange(`outgoing:${id}`, 0, -1)).map((key) => Number(key.split(':')[2]))
          t.equal(counters.length, count)
          t.strictSame(counters, [...counters].sort((a, b) => a - b), id)
        }
      })
    }

    t.test(`${name}: what is stored is what the persistence stores, byte for byte`, async (t) => {
      const spaces = []
      for (const own of [false, true]) {
        await redis.flushall()
        const packetTTL = (packet: { topic: string }): number => packet.topic === 'a/short' ? 100 : 0
        const { broker, connection } = await startRedisBroker(t, server.port, { create, aedes: { id: 'broker' }, persistence: { packetTTL } })
        await addOffline(broker, 'one é/:%', 'a/#')
        await addOffline(broker, 'two', '+/x', 'a/+')
        const { host } = startLink(t, broker, own ? { redis: { connection: connection as RedisCommands, packetTTL } } : {})
        host.counter = 2 ** 43
        for (const topic of ['a/x', 'a/short', 'b/x', 'a/é€😀', 'none']) {
          await publish(broker, topic, 'payload', { qos: topic === 'b/x' ? 2 : 1, properties: { userProperties: { k: ['v', 'w'] }, messageExpiryInterval: undefined } })
        }
        spaces.push(await keySpace(redis, (text) => text))
      }
      t.strictSame(spaces[1], spaces[0])
      const keys = Object.keys(spaces[1] ?? {})
      t.equal(keys.length, 4 * 2 + 2, 'four packets with their counts, two lists')
    })

    t.test(`${name}: a broker with a fixed id loses and doubles nothing when it starts again`, async (t) => {
      const sent: string[] = []
      for (let life = 0; life < 3; life++) {
        await t.test(`life ${life}`, async (t) => {
          const { broker, url, connection } = await startRedisBroker(t, server.port, { create, aedes: { id: 'node1' }, shared: true })
          startLink(t, broker, { redis: { connection: connection as RedisCommands } })
          if (life === 0) {
            const session = await connectMqtt(t, url, { clientId: 'session', clean: false })
            await session.subscribe('a/#')
            await session.client.endAsync()
            await addOffline(broker, 'nats:/acked.x', 'a/+')
          }
          const publisher = await connectMqtt(t, url)
          for (let i = 0; i < 20; i++) {
            const text = `${life} ${i}`
            sent.push(text)
            await publisher.publish('a/x', text)
          }
          while (await redis.llen('outgoing:session') < sent.length) await new Promise((resolve) => { setImmediate(resolve) })
        })
      }
      t.equal(new Set(await redis.lrange('outgoing:nats%3A%2Facked.x', 0, -1)).size, sent.length)
      const { url } = await startRedisBroker(t, server.port, { create, shared: true })
      const session = await connectMqtt(t, url, { clientId: 'session', clean: false })
      t.strictSame((await session.take(sent.length)).map(({ payload }) => payload.toString()), sent)
    })
  }

  const { create } = versions[1] as typeof versions[number]

  t.test('many messages of one turn are one script', async (t) => {
    const connection = connectTo(t, server.port)
    const { broker } = await startRedisBroker(t, server.port, { create, connection })
    const { link } = startLink(t, broker, { redis: { connection } })
    await addOffline(broker, 'all', '#')
    await redis.config('RESETSTAT')
    await Promise.all(Array.from({ length: 5000 }, (_, i) => publish(broker, 'a', String(i))))
    await link.settled(30_000)
    const stats = await redis.info('commandstats')
    const calls = (command: string): number => Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
    t.equal(await redis.llen('outgoing:all'), 5000)
    t.ok(calls('eval') >= 5 && calls('eval') < 20, `${calls('eval')} scripts`)
    t.equal(calls('rpush'), calls('eval'))
    t.equal(calls('msetnx'), calls('eval'))
    t.equal(calls('set'), 0)
  })

  t.test('what is sent again since its answer was lost is stored once; an id that comes again is another message', async (t) => {
    const connection = connectTo(t, server.port)
    const { broker } = await startRedisBroker(t, server.port, { create, connection })
    const twice = {
      set: connection.set.bind(connection),
      rpush: connection.rpush.bind(connection),
      expire: connection.expire.bind(connection),
      eval: async (script: string, keys: number, ...args: (string | Buffer | number)[]) => {
        await connection.eval(script, keys, ...args)
        return await connection.eval(script, keys, ...args)
      }
    }
    const { link } = startLink(t, broker, { redis: { connection: twice } })
    await redis.flushall()
    await addOffline(broker, 'all', '#')
    await Promise.all(Array.from({ length: 50 }, (_, i) => publish(broker, 'a', String(i))))
    await link.settled(30_000)
    const entries = await redis.lrange('outgoing:all', 0, -1)
    t.equal(entries.length, 50)
    t.equal(new Set(entries).size, 50)
    const { counter } = broker as unknown as { counter: number }
    Object.assign(broker, { counter: counter - 1 })
    await publish(broker, 'a', 'other')
    t.equal(await redis.llen('outgoing:all'), 51)
    t.match(await redis.get(entries.at(-1) as string), /other/)
  })

  t.test('what Redis refuses fails the publishes concerned, and leaves nothing', async (t) => {
    const connection = connectTo(t, server.port)
    const { broker, url } = await startRedisBroker(t, server.port, { create, connection })
    startLink(t, broker, { redis: { connection, packetTTL: (packet) => { if (packet.topic === 'a/broken') throw new Error('no lifetime'); return 0 } } })
    await addOffline(broker, 'all', 'a/#')
    const keys = await redis.dbsize()
    await redis.config('SET', 'maxmemory', '1')
    t.match(await publish(broker, 'a/x', 'x'), { message: /OOM|EXECABORT/ })
    t.equal(await publish(broker, 'b/x', 'x'), null, 'not to be stored')
    const publisher = await connectMqtt(t, url)
    const closed = new Promise((resolve) => { publisher.client.once('close', () => { resolve(true) }) })
    publisher.publish('a/x', 'x').catch(() => {})
    t.ok(await closed)
    t.equal(await redis.dbsize(), keys)
    await redis.config('SET', 'maxmemory', '0')
    t.equal(await publish(broker, 'a/x', 'x'), null)
    t.match(await publish(broker, 'a/broken', 'x'), { message: 'no lifetime' })
    await redis.del('outgoing:all')
    await redis.set('outgoing:all', 'no list')
    t.match(await publish(broker, 'a/x', 'x'), { message: /WRONGTYPE/ })
  })
})

t.test('a Redis that is away fails what waits for it, and only that', async (t) => {
  const server = await startRedis(t)
  const connection = connectTo(t, server.port, { maxRetriesPerRequest: 1, retryStrategy: () => 20 })
  const { broker } = await startRedisBroker(t, server.port, { connection })
  const { link } = startLink(t, broker, { redis: { connection } })
  await addOffline(broker, 'all', 'a/#')
  t.equal(await publish(broker, 'a/x', '1'), null)
  await server.process.stop('SIGKILL')
  const failed = await Promise.all([publish(broker, 'a/x', '2'), publish(broker, 'a/x', '3')])
  t.ok(failed.every((error) => error !== null), String(failed[0]))
  t.equal(await publish(broker, 'b/x', '4'), null, 'nobody waits for what has failed')
  await link.settled(30_000)
})

t.test('on Redis Cluster', async (t) => {
  // Its second port is 10,000 above the first unless told, which may be none.
  const server = await startRedis(t, ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1', '--cluster-port', String(await freePort())])
  const admin = connectTo(t, server.port)
  await admin.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
  while (!/cluster_state:ok/.test(String(await admin.call('CLUSTER', 'INFO')))) await new Promise((resolve) => { setTimeout(resolve, 20) })
  const cluster = new Redis.Cluster([{ host: '127.0.0.1', port: server.port }])
  t.teardown(() => { cluster.disconnect() })
  const { broker } = await startRedisBroker(t, server.port, { connection: cluster, persistence: { cluster: true } })
  const { link } = startLink(t, broker, { redis: { connection: cluster, packetTTL: () => 100 } })
  await addOffline(broker, 'all', '#')
  await addOffline(broker, 'even', 'even')
  await Promise.all(Array.from({ length: 200 }, (_, i) => publish(broker, i % 2 === 0 ? 'even' : 'odd', String(i))))
  await link.settled(30_000)
  const keys = await admin.lrange('outgoing:all', 0, -1)
  const counters = keys.map((key) => Number(key.split(':')[2]))
  t.equal(counters.length, 200)
  t.strictSame(counters, [...counters].sort((a, b) => a - b))
  t.equal(await admin.llen('outgoing:even'), 100)
  t.equal(await admin.get(`${keys[0]}:offlineCount`), '2')
  t.ok(await admin.ttl(keys[0] ?? '') > 90)
})
