import { createRequire } from 'node:module'
import t from 'tap'
import { persistenceOf } from '../../lib/broker/persistence.ts'
import type { HostBroker } from '../../lib/broker/host.ts'
import { versions } from '../helper/brokers.ts'
import { startRedisCluster } from '../helper/redis-cluster.ts'
import { openStore } from './redis-rig.ts'
import { group, ids, numbers, outgoing, payloads, publish, raise } from './store-suite.ts'

const persistenceRedis = createRequire(import.meta.url)('aedes-persistence-redis') as (options: object) => { destroy: () => Promise<void> }

t.test('RedisStore on Redis Cluster', async (t) => {
  const { nodes, cluster } = await startRedisCluster(t)
  const persistence = persistenceRedis({ cluster: nodes })
  const broker = await (versions[1] as typeof versions[0]).create({ persistence } as object)
  raise(broker)
  t.teardown(async () => {
    await new Promise<void>((resolve) => { broker.close(resolve) })
    await persistence.destroy()
  })
  const keys = async (): Promise<string[]> => {
    const all = await Promise.all(cluster.nodes('master').map((node) => node.keys('*')))
    return all.flat().filter((key) => key !== 'nats:janitor').sort()
  }

  const one = await openStore(t, broker, { connection: cluster })
  const two = await openStore(t, broker, { connection: cluster })
  await persistenceOf(broker as unknown as HostBroker).addSubscriptions({ id: 'session' }, [{ topic: 'a/#', qos: 1 }])
  const before = await keys()
  await one.store.register(group, ['a/+', '+/b', 'c'])
  await publish(broker, 'a/b', numbers(0, 40))
  await publish(broker, 'c', numbers(40, 60))
  const claimed = await one.store.claim(group, 30)
  t.strictSame(payloads(claimed), numbers(0, 15).map(String), 'each is listed twice')
  t.equal(await one.store.ack(group, ids(claimed.slice(0, 5))), 5)
  await one.store.release(group, ids(claimed.slice(5, 10)), true)
  await one.store.park(group, claimed.slice(10).map(({ id }) => ({ id, topic: 'a/b' })))
  await two.told.until(() => two.told.worked.includes(group))
  const rest = await two.store.claim(group, 100)
  t.strictSame(payloads(rest), [...numbers(5, 10), ...numbers(15, 60)].map(String))
  t.strictSame(payloads(await two.store.unpark(group, ids(claimed))), numbers(10, 15).map(String))
  t.equal(await two.store.ack(group, ids(rest)), 50)
  t.strictSame(await outgoing(broker, 'session'), numbers(0, 40).map(String), 'the other session has all')
  await one.store.remove(group)
  const left = (await keys()).filter((key) => !before.includes(key))
  t.equal(left.length, 81, 'the packets of the other session, their counts and its list')
  t.notOk(left.some((key) => key.includes('acked.billing')))
})
