import t from 'tap'
import type { HostBroker, PublishPacket } from '../../lib/broker/host.ts'
import { type AnyAedes, startBroker, versions } from '../helper/brokers.ts'
import { addOffline, startLink, until, waitingFor } from '../helper/links.ts'
import { alternate, floodCount } from '../helper/live-order.ts'
import { connectMqtt } from '../helper/mqtt.ts'

// Order of packets from their publish to the store and the queue.

function publish (broker: AnyAedes, topic: string, payload: string, more: object = {}): Promise<Error | null> {
  return new Promise((resolve) => {
    broker.publish({ cmd: 'publish', topic, payload: Buffer.from(payload), qos: 1, retain: false, dup: false, ...more } as never, (error) => { resolve(error ?? null) })
  })
}

/** Holds what is stored on `slow/...` until told. */
function slowStore (broker: AnyAedes): { held: string[], go: (error?: Error) => void } {
  const { persistence } = broker as unknown as HostBroker
  const { outgoingEnqueueCombi } = persistence
  const waiting: ((error?: Error) => void)[] = []
  const held: string[] = []
  persistence.outgoingEnqueueCombi = async function (subscriptions, packet) {
    if (packet.topic.startsWith('slow/')) {
      held.push(packet.topic)
      await new Promise<void>((resolve, reject) => { waiting.push((error) => { if (error === undefined) resolve(); else reject(error) }) })
    }
    return await outgoingEnqueueCombi.call(this, subscriptions, packet)
  }
  return { held, go: (error) => { for (const each of waiting.splice(0)) each(error) } }
}

function listen (broker: AnyAedes): PublishPacket[] {
  const seen: PublishPacket[] = []
  broker.subscribe('#', (packet, done) => {
    if (!packet.topic.startsWith('$SYS/')) seen.push(packet as unknown as PublishPacket)
    done()
  }, () => {})
  return seen
}

for (const { name, create } of versions) {
  for (const durables of [false, true]) {
    t.test(`${name}: a live subscriber gets all of QoS 1 beside a flood of QoS 0, ${durables ? 'with' : 'without'} durables`, async (t) => {
      const { broker, mqttPort } = await startBroker(t, create)
      startLink(t, broker)
      const url = `mqtt://127.0.0.1:${mqttPort}`
      const offline = await connectMqtt(t, url, { clientId: 'offline', clean: false })
      await offline.subscribe('a/#')
      await offline.client.endAsync()
      if (durables) await addOffline(broker, 'nats:/acked.x', 'a/#', 'b/+')
      const [live, publisher, flooder] = await Promise.all([connectMqtt(t, url), connectMqtt(t, url), connectMqtt(t, url)])
      const { published, acknowledged, flood } = await alternate(publisher, flooder, live)
      t.strictSame(acknowledged, published)
      t.equal(flood.length, floodCount)
      t.strictSame((await waitingFor(broker, 'offline')), published.filter((text) => Number(text) % 2 === 0))
      if (durables) t.strictSame(await waitingFor(broker, 'nats:/acked.x'), [...published, 'end'])
    })
  }

  t.test(`${name}: QoS 0 of the same turn does not overtake QoS 1`, async (t) => {
    const { broker, mqttPort } = await startBroker(t, create)
    startLink(t, broker)
    await addOffline(broker, 'away', 'a/#')
    const live = await connectMqtt(t, `mqtt://127.0.0.1:${mqttPort}`)
    await live.subscribe('#')
    const published = Array.from({ length: 100 }, (_, i) => [publish(broker, i % 2 === 0 ? 'a/x' : 'b/x', String(i), { retain: i % 3 === 0 }), publish(broker, 'c/x', 'flood', { qos: 0 })]).flat()
    await Promise.all([...published, publish(broker, 'd/x', 'end')])
    // In memory Aedes alone loses all of QoS 1 but the last.
    const texts = (await live.take(201)).map(({ payload }) => payload.toString())
    t.strictSame(texts.filter((text) => text !== 'flood'), [...Array.from({ length: 100 }, (_, i) => String(i)), 'end'])
  })

  t.test(`${name}: what is being stored is waited for, by what asks for nothing to be stored too`, async (t) => {
    const { broker, mqttPort } = await startBroker(t, create)
    const store = slowStore(broker)
    startLink(t, broker)
    await addOffline(broker, 'away', 'slow/#', 'fast/stored')
    await addOffline(broker, 'other', 'fast/stored')
    const live = await connectMqtt(t, `mqtt://127.0.0.1:${mqttPort}`)
    await live.subscribe('#')
    const seen = listen(broker)
    const published = [publish(broker, 'slow/1', '1'), publish(broker, 'fast/1', '2'), publish(broker, 'fast/stored', '3', { retain: true }), publish(broker, 'slow/2', '4'), publish(broker, 'fast/2', '5')]
    await publish(broker, 'zero', '0', { qos: 0 })
    t.strictSame((await live.take()).map(({ topic }) => topic), ['zero'], 'QoS 0 waits for nothing')
    store.go()
    await until(() => store.held.length === 2)
    t.strictSame(seen.map(({ topic }) => topic), ['zero', 'slow/1', 'fast/1', 'fast/stored'])
    store.go()
    await Promise.all(published)
    t.strictSame((await live.take(5)).map(({ payload }) => payload.toString()), ['1', '2', '3', '4', '5'])
    t.strictSame(await waitingFor(broker, 'away'), ['1', '3', '4'], 'stored in order too, though retained ones take longer')
    const counters = seen.filter(({ qos }) => qos > 0).map(({ brokerCounter }) => brokerCounter as number)
    t.strictSame(counters, [...counters].sort((a, b) => a - b))
  })

  t.test(`${name}: a publish that fails before it is emitted holds nobody up`, async (t) => {
    const { broker } = await startBroker(t, create)
    const store = slowStore(broker)
    const { persistence } = broker as unknown as { persistence: { storeRetained (packet: object): Promise<void> } }
    persistence.storeRetained = () => Promise.reject(new Error('no room'))
    startLink(t, broker)
    await addOffline(broker, 'away', 'slow/#')
    const seen = listen(broker)
    const failing = publish(broker, 'slow/1', '1')
    const retained = publish(broker, 'fast/1', '2', { retain: true })
    const good = publish(broker, 'fast/2', '3')
    const tooDeep = publish(broker, 'a/'.repeat(200), '4')
    const last = publish(broker, 'fast/3', '5')
    t.match(await retained, { message: 'no room' })
    t.match(await tooDeep, { message: /levels/ })
    await until(() => store.held.length === 1)
    t.strictSame(seen, [])
    store.go(new Error('full'))
    t.match(await failing, { message: 'full' })
    t.equal(await good, null)
    t.equal(await last, null)
    t.strictSame(seen.map(({ topic }) => topic), ['fast/2', 'fast/3'])
  })

  t.test(`${name}: a store that never answers is waited for until the deadline, and its message comes late`, async (t) => {
    const { broker } = await startBroker(t, create)
    const store = slowStore(broker)
    startLink(t, broker, { deadline: 20 })
    await addOffline(broker, 'away', 'slow/#', 'fast/#')
    const seen = listen(broker)
    const slow = publish(broker, 'slow/1', '1')
    await Promise.all([publish(broker, 'fast/1', '2'), publish(broker, 'other/1', '3')])
    t.strictSame(seen.map(({ topic }) => topic), ['fast/1', 'other/1'])
    store.go()
    t.equal(await slow, null)
    t.strictSame(seen.map(({ topic }) => topic), ['fast/1', 'other/1', 'slow/1'])
    await publish(broker, 'fast/2', '4')
    t.equal(seen.at(-1)?.topic, 'fast/2')
  })

  t.test(`${name}: closing lets everything go that waits, and the rest as Aedes has it`, async (t) => {
    const { broker } = await startBroker(t, create)
    const store = slowStore(broker)
    const { persistence, mq } = broker as unknown as HostBroker
    const before = [persistence.outgoingEnqueueCombi, broker.publish, mq.emit, Object.getOwnPropertyDescriptor(persistence, 'outgoingEnqueueCombi'), Object.keys(broker), Object.keys(mq)]
    const { close } = startLink(t, broker)
    await addOffline(broker, 'away', '#')
    const seen = listen(broker)
    const published = [publish(broker, 'slow/1', '1'), publish(broker, 'fast/1', '2'), publish(broker, 'fast/2', '3', { retain: true })]
    await until(() => store.held.length === 1)
    close()
    t.strictSame([persistence.outgoingEnqueueCombi, broker.publish, mq.emit, Object.getOwnPropertyDescriptor(persistence, 'outgoingEnqueueCombi'), Object.keys(broker), Object.keys(mq)], before)
    await Promise.all(published.slice(1))
    store.go()
    await Promise.all(published)
    t.strictSame(seen.map(({ topic }) => topic), ['fast/1', 'fast/2', 'slow/1'])
    t.equal((await waitingFor(broker, 'away')).length, 3)
  })

  t.test(`${name}: the same object published again is another message, and keeps no trace of the first`, async (t) => {
    const { broker, mqttPort } = await startBroker(t, create)
    startLink(t, broker)
    const live = await connectMqtt(t, `mqtt://127.0.0.1:${mqttPort}`)
    await live.subscribe('#')
    for (const qos of [0, 1]) {
      const packet = { cmd: 'publish', topic: 'a', payload: Buffer.from('x'), qos, retain: false, dup: false }
      const before = { ...packet }
      for (let i = 0; i < 3; i++) await new Promise<void>((resolve) => { broker.publish(packet as never, () => { resolve() }) })
      t.equal((await live.take(3)).length, 3)
      t.strictSame(packet, before)
    }
  })

  t.test(`${name}: QoS 0 leaves under another broker id, what brokers tell each other under the broker's own`, async (t) => {
    const { broker } = await startBroker(t, create)
    const store = slowStore(broker)
    startLink(t, broker)
    await addOffline(broker, 'away', 'slow/#')
    const told: PublishPacket[] = []
    broker.subscribe('$SYS/#', (packet, done) => {
      told.push(packet as unknown as PublishPacket)
      done()
    }, () => {})
    const seen = listen(broker)
    await publish(broker, 'a', '', { qos: 0 })
    await publish(broker, 'b', '')
    await publish(broker, '$SYS/x/heartbeat', 'x', { qos: 0 })
    const slow = publish(broker, 'slow/1', '')
    // It would overtake, for whoever listens to both.
    await publish(broker, '$SYS/x/heartbeat', 'x', { qos: 0 })
    store.go()
    await until(() => store.held.length === 1)
    store.go()
    await slow
    const lane = `${broker.id}/nats`
    t.strictSame(seen.map(({ brokerId }) => brokerId), [lane, broker.id, broker.id])
    t.strictSame(told.map(({ brokerId }) => brokerId), [broker.id, lane])
    t.notOk(lane in (broker as unknown as { brokers: object }).brokers)
  })

  t.test(`${name}: the will of a broker that is gone is in the count of this one`, async (t) => {
    const { broker } = await startBroker(t, create)
    startLink(t, broker)
    const seen = listen(broker)
    await publish(broker, 'a', '')
    for (const qos of [1, 0]) {
      const will = { cmd: 'publish', topic: 'gone', payload: Buffer.from('x'), qos, retain: false, dup: false, clientId: 'device', brokerId: 'other' }
      await new Promise<void>((resolve, reject) => { broker.publish(will as never, (error) => { if (error) reject(error); else resolve() }) })
      t.equal(will.brokerId, 'other', 'by which Aedes deletes it')
    }
    const [first, ...wills] = seen
    t.match(wills, [{ topic: 'gone', clientId: 'device', brokerId: broker.id, brokerCounter: Number(first?.brokerCounter) + 1 }, { topic: 'gone', brokerId: `${broker.id}/nats` }])
  })

  t.test(`${name}: another gateway on the same broker, later, goes on where the first was`, async (t) => {
    const { broker } = await startBroker(t, create)
    const before = Date.now() * 1024
    const { host, close } = startLink(t, broker)
    t.ok(host.counter >= before)
    host.counter += 2 ** 40
    const raised = host.counter
    close()
    startLink(t, broker)
    t.equal(host.counter, raised, 'never lowered')
    const seen = listen(broker)
    await publish(broker, 'a', '')
    t.equal(seen[0]?.brokerCounter, raised + 1)
  })
}
