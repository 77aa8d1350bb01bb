import t from 'tap'
import { persistenceOf } from '../../lib/broker/persistence.ts'
import type { HostBroker } from '../../lib/broker/host.ts'
import { Process, scratch, startRedis } from '../helper/processes.ts'
import { Relay, startRig } from './redis-rig.ts'
import { eventually, group, ids, numbers, outgoing, payloads, publish } from './store-suite.ts'

const fast = { renewal: 100, patience: 400 }

t.test('the connection is cut in the middle', async (t) => {
  const { url, port } = await startRedis(t)

  for (const count of [10, 1000]) {
    t.test(`a claim of ${count} whose answer is lost is given back, in order and undelivered`, async (t) => {
      const rig = await startRig(t, url)
      const relay = await new Relay().start(t, port)
      const { store, told } = await rig.open(t, {}, fast, relay.url)
      await store.register(group, ['a'])
      await publish(rig.broker, 'a', numbers(0, 30))
      const first = await store.claim(group, 5)
      relay.cuts = /nats:claimed/
      await t.rejects(store.claim(group, count))
      t.equal((await rig.redis.zcard((await rig.redis.keys('nats:claimed:*'))[0] as string)), Math.min(count + 5, 30), 'Redis did it')
      await t.rejects(store.claim(group, count), 'it is away')
      relay.cuts = null
      await told.until(() => told.troubles.includes(null))
      const claimed = await store.claim(group, 1000)
      t.strictSame(payloads(claimed), numbers(5, 30).map(String))
      t.ok(claimed.every(({ deliveries }) => deliveries === 0))
      t.equal(await store.ack(group, ids([...first, ...claimed])), 30)
      t.strictSame(told.troubles.map((problem) => problem === null), [false, true], 'said once')
      t.strictSame(told.losses, [])
    })
  }

  t.test('without another claim too', async (t) => {
    const rig = await startRig(t, url)
    const relay = await new Relay().start(t, port)
    const { store } = await rig.open(t, {}, fast, relay.url)
    const other = await rig.open(t)
    await store.register(group, ['a'])
    await publish(rig.broker, 'a', numbers(0, 30))
    const parked = await store.claim(group, 10)
    await store.park(group, parked.map(({ id }) => ({ id, topic: 'a' })))
    relay.cuts = /nats:claimed/
    await t.rejects(store.claim(group, 10))
    relay.cuts = null
    await eventually(async () => (await other.store.depth(group)).waiting === 20, 'the claimed ones come back')
    // So that it is not the answer that Redis does not know the script.
    await store.unpark(group, ['nobody:1'])
    relay.cuts = /nats:claimed/
    await t.rejects(store.unpark(group, ids(parked.slice(0, 5))))
    relay.cuts = null
    await eventually(async () => (await other.store.depth(group)).waiting === 25, 'those that were parked come back')
    t.strictSame(payloads(await other.store.claim(group, 100)), [...numbers(0, 5), ...numbers(10, 30)].map(String))
  })

  t.test('an acknowledgement whose answer is lost counts once', async (t) => {
    const rig = await startRig(t, url)
    const relay = await new Relay().start(t, port)
    const { store, told } = await rig.open(t, {}, fast, relay.url)
    await persistenceOf(rig.broker as unknown as HostBroker).addSubscriptions({ id: 'session' }, [{ topic: '#', qos: 1 }])
    await store.register(group, ['a'])
    await publish(rig.broker, 'a', numbers(0, 30))
    const claimed = await store.claim(group, 20)
    await store.ack(group, ['nobody:1'])
    relay.cuts = /nats:claimed/
    await t.rejects(store.ack(group, ids(claimed)))
    relay.cuts = null
    await told.until(() => told.troubles.includes(null))
    t.equal(await store.ack(group, ids(claimed)), 0)
    t.strictSame(await outgoing(rig.broker, 'session'), numbers(0, 30).map(String))
    t.match(await store.depth(group), { waiting: 10, claimed: 0 })
  })

  t.test('an answer that comes too late is not waited for, and nothing piles up behind it', async (t) => {
    const rig = await startRig(t, url)
    const { store, told } = await rig.open(t, {}, fast)
    await store.register(group, ['a'])
    await publish(rig.broker, 'a', numbers(0, 30))
    await rig.redis.call('CLIENT', 'PAUSE', '1500', 'ALL')
    const began = performance.now()
    await t.rejects(store.claim(group, 10), { message: /no answer from Redis/ })
    t.ok(performance.now() - began < 1200)
    // Each would take as long as the first if it were waited for; the store is back long before then.
    for (let i = 0; i < 1000; i++) await t.rejects(store.claim(group, 10))
    await told.until(() => told.troubles.includes(null))
    t.strictSame(payloads(await store.claim(group, 100)), numbers(0, 30).map(String))
  })

  t.test('scripts that Redis has forgotten are loaded again', async (t) => {
    const rig = await startRig(t, url)
    const { store } = await rig.open(t)
    await store.register(group, ['a'])
    await publish(rig.broker, 'a', numbers(0, 3))
    const claimed = await store.claim(group, 2)
    await rig.redis.script('FLUSH')
    t.equal(await store.ack(group, ids(claimed)), 2)
    t.equal((await store.claim(group, 2)).length, 1)
  })

  t.test('a full Redis is told of, and what there is can be taken out', async (t) => {
    const rig = await startRig(t, url)
    const { store, told } = await rig.open(t, {}, fast)
    await store.register(group, ['a'])
    await publish(rig.broker, 'a', numbers(0, 30))
    await rig.redis.config('SET', 'maxmemory', '1')
    t.teardown(() => rig.redis.config('SET', 'maxmemory', '0'))
    await told.until(() => told.troubles.length === 1)
    t.match(told.troubles[0], /OOM/)
    const claimed = await store.claim(group, 20)
    t.strictSame(payloads(claimed), numbers(0, 20).map(String))
    await store.release(group, ids(claimed.slice(10)), true)
    t.equal(await store.ack(group, ids(claimed.slice(0, 10))), 10)
    await rig.redis.config('SET', 'maxmemory', '0')
    await told.until(() => told.troubles.length === 2)
    t.strictSame(told.troubles[1], null)
    t.strictSame(payloads(await store.claim(group, 100)), numbers(10, 30).map(String))
    t.strictSame(told.losses, [])
  })
})

t.test('Redis is killed and started again', async (t) => {
  const folder = scratch(t)
  const again = async (port: number, dir: string): Promise<Process> => {
    const server = new Process(t, 'redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', dir, '--appendonly', 'yes', '--appendfsync', 'always'])
    await server.until(/Ready to accept connections/)
    return server
  }

  t.test('with its data: everything is where it was', async (t) => {
    const { url, port, process } = await startRedis(t, ['--dir', folder, '--appendonly', 'yes', '--appendfsync', 'always'])
    const rig = await startRig(t, url)
    // One sees the leases of both ended before the other can renew its own.
    const one = await rig.open(t, {}, { renewal: 1900 })
    const two = await rig.open(t, {}, { renewal: 100 })
    await one.store.register(group, ['a'])
    await publish(rig.broker, 'a', numbers(0, 30))
    const claimed = await one.store.claim(group, 10)
    await process.stop('SIGKILL')
    await one.told.until(() => one.told.troubles.length === 1)
    const began = performance.now()
    await t.rejects(one.store.ack(group, ids(claimed)))
    t.ok(performance.now() - began < 100, 'at once')
    // Until all leases have ended.
    await new Promise((resolve) => { setTimeout(resolve, 3500) })
    await again(port, folder)
    for (const { told } of [one, two]) await told.until(() => told.troubles.includes(null))
    t.strictSame(payloads(await two.store.claim(group, 100)), numbers(10, 30).map(String), 'nothing was taken back from the living')
    t.equal(await one.store.ack(group, ids(claimed)), 10)
    for (const { told } of [one, two]) {
      t.strictSame(told.losses, [])
      t.equal(told.troubles.length, 2)
    }
  })

  t.test('empty: it begins anew', async (t) => {
    const { url, port, process } = await startRedis(t)
    const rig = await startRig(t, url)
    const { store, told } = await rig.open(t)
    await store.register(group, ['a', 'b/+'])
    store.present(group, ['a', 'b/+'])
    await publish(rig.broker, 'a', numbers(0, 3))
    const claimed = await store.claim(group, 1)
    await process.stop('SIGKILL')
    await again(port, scratch(t))
    await told.until(() => told.losses.includes(group))
    t.equal(await store.ack(group, ids(claimed)), 0)
    await eventually(async () => (await store.groups())[0]?.filters.length === 2, 'the filters of those present are back')
    await publish(rig.broker, 'a', ['new'])
    t.strictSame(payloads(await store.claim(group, 100)), ['new'])
    t.equal((await persistenceOf(rig.broker as unknown as HostBroker).subscriptionsByClient({ id: group }))?.length, 2)
  })
})

t.test('a store without Redis does not open', async (t) => {
  const { url, process } = await startRedis(t)
  const rig = await startRig(t, url)
  await process.stop('SIGKILL')
  await t.rejects(rig.open(t), { code: 'NATS_ERR_REDIS' })
})
