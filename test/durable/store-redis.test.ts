import t from 'tap'
import { versions } from '../helper/brokers.ts'
import { startRedis } from '../helper/processes.ts'
import { startRig as start } from './redis-rig.ts'
import { group, ids, numbers, payloads, publish, storeSuite } from './store-suite.ts'

t.test('RedisStore', async (t) => {
  const { url } = await startRedis(t)
  for (const version of versions) {
    t.test(version.name, async (t) => { storeSuite(t, (t) => start(t, url, { version })) })
  }

  t.test('removing a group leaves no key', async (t) => {
    const { redis, broker, open } = await start(t, url)
    const { store } = await open(t)
    const keys = async (): Promise<string[]> => (await redis.keys('*')).filter((key) => key !== 'nats:janitor').sort()
    const before = await keys()
    await store.register(group, ['a/+', '+/b', 'c/#'])
    store.present(group, ['a/+'])
    await publish(broker, 'a/b', numbers(0, 40))
    const claimed = await store.claim(group, 10)
    await store.ack(group, ids(claimed.slice(0, 2)))
    await store.release(group, ids(claimed.slice(2, 4)), true)
    await store.park(group, claimed.slice(4, 6).map(({ id }) => ({ id, topic: 'a/b' })))
    t.equal(claimed.length, 5, 'the second entries of messages in one claim are dropped')
    t.not((await keys()).length, before.length)
    await store.remove(group)
    t.strictSame(await keys(), before)
  })

  t.test('what has expired in Redis is forgotten', async (t) => {
    const { redis, broker, open } = await start(t, url)
    const { store } = await open(t)
    await store.register(group, ['a'])
    await publish(broker, 'a', numbers(0, 5))
    const [first, second] = await redis.lrange(`outgoing:${encodeURIComponent(group)}`, 0, 1) as [string, string]
    await redis.del(first, `${first}:offlineCount`)
    await redis.set(second, 'no packet')
    t.strictSame(payloads(await store.claim(group, 10)), ['2', '3', '4'])
    t.match(await store.depth(group), { waiting: 0, claimed: 3 })
  })

  t.test('nobody has to ask again because much has expired', async (t) => {
    const { redis, broker, open } = await start(t, url)
    const { store } = await open(t)
    await store.register(group, ['a'])
    await publish(broker, 'a', numbers(0, 250))
    await redis.del(...await redis.lrange(`outgoing:${encodeURIComponent(group)}`, 0, 199))
    t.strictSame(payloads(await store.claim(group, 100)), numbers(200, 250).map(String))
    t.equal((await redis.keys('*:offlineCount')).length, 50)
  })

  t.test('a claim drops what is too much before it', async (t) => {
    const { broker, open } = await start(t, url)
    const { store, told } = await open(t, { maxDepth: 10 })
    await store.register(group, ['a'])
    await publish(broker, 'a', numbers(0, 25))
    t.equal(payloads(await store.claim(group, 1))[0], '15')
    t.strictSame(told.drops, [[group, 15]])
  })
})
