import t, { type Test } from 'tap'
import { persistenceOf } from '../../lib/broker/persistence.ts'
import type { HostBroker } from '../../lib/broker/host.ts'
import { PersistenceStore } from '../../lib/durable/persistence-store.ts'
import { versions } from '../helper/brokers.ts'
import { silent } from './silent.ts'
import { group, ids, numbers, outgoing, payloads, publish, raise, type Rig, storeOptions, storeSuite, Told } from './store-suite.ts'

async function start (t: Test, version: typeof versions[0]): Promise<Rig> {
  const broker = await version.create()
  raise(broker)
  t.teardown(() => new Promise<void>((resolve) => { broker.close(resolve) }))
  return {
    broker,
    open: async (t, options, times = {}) => {
      const store = new PersistenceStore({ persistence: persistenceOf(broker as unknown as HostBroker), log: silent, options: { ...storeOptions, ...options }, times })
      const told = new Told()
      await store.open(told)
      t.teardown(() => store.close())
      return { store, told }
    }
  }
}

for (const version of versions) {
  t.test(`PersistenceStore in memory, ${version.name}`, async (t) => {
    storeSuite(t, (t) => start(t, version))

    t.test('removing a group leaves no message', async (t) => {
      const { broker, open } = await start(t, version)
      const { store } = await open(t)
      await store.register(group, ['a/+', '+/b'])
      await publish(broker, 'a/b', numbers(0, 40))
      const claimed = await store.claim(group, 10)
      await store.park(group, claimed.slice(4, 6).map(({ id }) => ({ id, topic: 'a/b' })))
      await store.remove(group)
      t.strictSame(await outgoing(broker, group), [])
      t.equal((await persistenceOf(broker as unknown as HostBroker).subscriptionsByClient({ id: group }))?.length ?? 0, 0)
      t.strictSame(await store.groups(), [])
    })

    t.test('a store that opens later finds what was not acknowledged', async (t) => {
      const { broker, open } = await start(t, version)
      const { store } = await open(t)
      await store.register(group, ['a'])
      await publish(broker, 'a', numbers(0, 10))
      await store.ack(group, ids(await store.claim(group, 3)))
      await store.claim(group, 3)
      await store.close()
      const later = await open(t)
      await later.store.register(group, ['b'])
      t.strictSame(payloads(await later.store.claim(group, 100)), numbers(3, 10).map(String))
      t.strictSame((await later.store.groups())[0]?.filters, ['a', 'b'])
    })

    t.test('a long backlog is drained in order', async (t) => {
      const { broker, open } = await start(t, version)
      const { store } = await open(t, { maxDepth: 1_000_000 })
      await store.register(group, ['a'])
      await publish(broker, 'a', numbers(0, 20_000))
      let next = 0
      for (let claimed = await store.claim(group, 1000); claimed.length > 0; claimed = await store.claim(group, 1000)) {
        for (const { packet } of claimed) if (String(packet.payload) !== String(next++)) t.fail('out of order')
        await store.ack(group, ids(claimed))
      }
      t.equal(next, 20_000)
    })
  })
}
