import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import t from 'tap'
import { persistenceOf } from '../../lib/broker/persistence.ts'
import type { HostBroker } from '../../lib/broker/host.ts'
import { startRedis } from '../helper/processes.ts'
import { crash, startRig } from './redis-rig.ts'
import { eventually, group, ids, numbers, outgoing, payloads, publish } from './store-suite.ts'

t.test('several nodes', async (t) => {
  const { url } = await startRedis(t)

  t.test('share a group: no message is with two of them, and none counts what it does not have', async (t) => {
    const rig = await startRig(t, url)
    const one = await rig.open(t)
    const two = await rig.open(t)
    await one.store.register(group, ['a/+', '+/b'])
    await publish(rig.broker, 'a/b', numbers(0, 100))
    const mine = await one.store.claim(group, 31)
    const theirs = await two.store.claim(group, 1000)
    const more = await one.store.claim(group, 1000)
    t.strictSame([...payloads(mine), ...payloads(theirs), ...payloads(more)], numbers(0, 100).map(String), 'also of those listed twice')
    t.equal(await two.store.ack(group, ids(mine)), 0)
    t.match(await two.store.depth(group), { claimed: 100, waiting: 0 })
    const [first, second] = mine
    await one.store.park(group, [{ id: first?.id ?? '', topic: 'a/b' }])
    await two.told.until(() => two.told.worked.includes(group))
    t.equal((await two.store.unpark(group, [first?.id ?? ''])).length, 1)
    t.equal((await one.store.unpark(group, [first?.id ?? ''])).length, 0)
    await one.store.release(group, [second?.id ?? ''], true)
    t.match(await two.store.claim(group, 10), [{ id: second?.id, deliveries: 1 }])
    await one.store.close()
    t.equal((await two.store.claim(group, 1000)).length, mine.length + more.length - 2, 'closing gives back')
    t.match(await two.store.depth(group), { claimed: 100, waiting: 0 })
  })

  t.test('register at once', async (t) => {
    const rig = await startRig(t, url)
    const stores = await Promise.all([rig.open(t), rig.open(t), rig.open(t)])
    await Promise.all(numbers(0, 30).map((i) => (stores[i % 3] as typeof stores[0]).store.register(group, [`a/${i % 5}`, i % 2 === 0 ? 'b/#' : 'b/x'])))
    const filters = await persistenceOf(rig.broker as unknown as HostBroker).subscriptionsByClient({ id: group })
    t.strictSame(filters?.map(({ topic }) => topic).sort(), ['a/0', 'a/1', 'a/2', 'a/3', 'a/4', 'b/#'])
  })

  t.test('take back what a dead one had, within 5 s, once, in order', async (t) => {
    const rig = await startRig(t, url)
    const dead = await rig.open(t)
    const nodes = await Promise.all([rig.open(t), rig.open(t), rig.open(t)])
    await dead.store.register(group, ['a'])
    await publish(rig.broker, 'a', numbers(0, 300))
    const claimed = await dead.store.claim(group, 200)
    await dead.store.ack(group, ids(claimed.slice(0, 50)))
    // So that nobody is new, and would wait.
    await Promise.all(nodes.map(async ({ store }) => {
      const { lease } = (store as unknown as { node: { lease: { steadySince: number } } }).node
      await eventually(() => performance.now() - lease.steadySince > 3000, 'the node is steady')
    }))
    const began = performance.now()
    crash(dead.store)
    const [first] = nodes
    await first.told.until(() => first.told.worked.includes(group))
    const took = performance.now() - began
    t.ok(took < 5000, `took ${Math.round(took)} ms`)
    const all = await first.store.claim(group, 1000)
    t.strictSame(payloads(all), numbers(50, 300).map(String))
    t.strictSame(all.map(({ deliveries }) => deliveries), numbers(50, 300).map((i) => i < 200 ? 1 : 0))
    await eventually(async () => await rig.redis.hlen('nats:leases') === 3, 'its lease is gone')
    t.equal(first.told.worked.length, 1, 'by one of them')
  })

  t.test('a node that slept has lost what it had, counts none of it, and goes on', async (t) => {
    const rig = await startRig(t, url)
    const { store, told } = await rig.open(t)
    await persistenceOf(rig.broker as unknown as HostBroker).addSubscriptions({ id: 'session' }, [{ topic: '#', qos: 1 }])
    await store.register(group, ['a'])
    await publish(rig.broker, 'a', numbers(0, 150))
    const sleeper = spawn(process.execPath, [...process.execArgv, new URL('sleeper.ts', import.meta.url).pathname, url], { stdio: ['pipe', 'pipe', 'inherit'] })
    t.teardown(() => sleeper.kill('SIGKILL'))
    const lines = createInterface({ input: sleeper.stdout })[Symbol.asyncIterator]()
    t.equal((await lines.next()).value, 'claimed 100')
    sleeper.kill('SIGSTOP')
    await told.until(() => told.worked.includes(group))
    const claimed = await store.claim(group, 1000)
    t.equal(claimed.length, 150)
    await store.ack(group, ids(claimed.slice(0, 60)))
    await store.release(group, ids(claimed.slice(60)), false)
    sleeper.stdin.write('ack\n')
    sleeper.kill('SIGCONT')
    t.equal((await lines.next()).value, 'acknowledged 0')
    t.equal((await lines.next()).value, 'lost, then claimed 90')
    t.strictSame(await outgoing(rig.broker, 'session'), numbers(0, 150).map(String))
    sleeper.kill('SIGKILL')
    await once(sleeper, 'exit')
  })
})
