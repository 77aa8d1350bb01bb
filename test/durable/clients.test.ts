import t, { type Test } from 'tap'
import { connect, type Msg, type NatsConnection, type Subscription } from '@nats-io/transport-node'
import { connectMqtt, type MqttPeer } from '../helper/mqtt.ts'
import { connect as connectRaw } from '../helper/raw.ts'
import { type Setting, settings } from './hosts.ts'

let groups = 0

/** A name that no other test has, since all on one Redis share it. */
function fresh (kind: 'acked' | 'durable' = 'acked'): { queue: string, root: string } {
  groups++
  return { queue: `${kind}.g${groups}`, root: `t${groups}` }
}

async function nats (t: Test, url: string): Promise<NatsConnection> {
  const connection = await connect({ servers: url, reconnect: false })
  t.teardown(() => connection.close())
  return connection
}

const iterators = new WeakMap<Subscription, AsyncIterator<Msg>>()

/** The next messages of a subscription. */
async function take (subscription: Subscription, count: number, ack = true): Promise<Msg[]> {
  // A subscription has one iterator.
  const iterator = iterators.get(subscription) ?? subscription[Symbol.asyncIterator]()
  iterators.set(subscription, iterator)
  const messages: Msg[] = []
  while (messages.length < count) {
    const { value, done } = await iterator.next()
    if (done) throw new Error(`ended after ${messages.length} of ${count} messages`)
    messages.push(value)
    if (ack) value.respond()
  }
  return messages
}

const texts = (messages: readonly Msg[]): string[] => messages.map((message) => message.string())
const numbers = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => String(from + i))

async function publish (peer: MqttPeer, topic: string, from: number, to: number, qos: 0 | 1 | 2 = 1): Promise<void> {
  await Promise.all(numbers(from, to).map((text) => peer.publish(topic, text, { qos })))
}

function suite (t: Test, setting: Setting): void {
  t.test('messages wait while nobody is there, and come in order, each once', async (t) => {
    const { queue, root } = fresh()
    const host = await setting.start(t)
    const mqtt = await connectMqtt(t, host.mqttUrl)
    const first = await nats(t, host.natsUrl)
    first.subscribe(`${root}.>`, { queue })
    await first.flush()
    await first.close()
    await publish(mqtt, `${root}/a`, 0, 50, 1)
    await publish(mqtt, `${root}/a`, 50, 100, 2)
    const second = await nats(t, host.natsUrl)
    const messages = await take(second.subscribe(`${root}.>`, { queue }), 100)
    t.same(texts(messages), numbers(0, 100))
    t.equal(new Set(messages.map((message) => message.headers?.get('Nmqtt-Id'))).size, 100)
    for (const message of messages) {
      t.match(message.reply, /^\$JS\.ACK(\.[^.]+){7}$/)
      t.equal(message.headers?.has('Nmqtt-Delivered'), false)
    }
    await publish(mqtt, `${root}/a`, 100, 110)
    await second.close()
    const third = await nats(t, host.natsUrl)
    t.same(texts(await take(third.subscribe(`${root}.a`, { queue }), 10)), numbers(100, 110))
  })

  t.test('live messages reach one member at once, and plain subscriptions and MQTT sessions beside it', async (t) => {
    const { queue, root } = fresh()
    const host = await setting.start(t)
    const mqtt = await connectMqtt(t, host.mqttUrl)
    const device = await connectMqtt(t, host.mqttUrl, { clean: false, clientId: `device-${root}` })
    await device.subscribe(`${root}/#`)
    const service = await nats(t, host.natsUrl)
    const got: string[][] = [[], []]
    let finished: () => void
    const all = new Promise<void>((resolve) => { finished = resolve })
    for (const mine of got) {
      service.subscribe(`${root}.>`, {
        queue,
        callback: (_error, message) => {
          mine.push(message.string())
          message.respond()
          if (got.flat().length === 40) finished()
        }
      })
    }
    const plain = service.subscribe(`${root}.*`)
    await service.flush()
    await publish(mqtt, `${root}/a`, 0, 40)
    await all
    t.same(texts(await take(plain, 40, false)).sort(), numbers(0, 40).sort())
    t.same((await device.take(40)).map(({ payload }) => payload.toString()), numbers(0, 40))
    t.same(got.flat().sort(), numbers(0, 40).sort())
    for (const mine of got) t.ok(mine.length >= 10, `a member got ${mine.length} of 40`)
    const info = await host.gateway.durables.inspect(queue)
    t.match(info, { name: queue, members: 2, filters: [`${root}/#`], waiting: 0 })
  })

  t.test('QoS 0 reaches one member, live; without members it is gone', async (t) => {
    const { queue, root } = fresh()
    const host = await setting.start(t)
    const mqtt = await connectMqtt(t, host.mqttUrl)
    const service = await nats(t, host.natsUrl)
    const subscription = service.subscribe(`${root}.a`, { queue })
    await service.flush()
    await mqtt.publish(`${root}/a`, 'live', { qos: 0 })
    const [live] = await take(subscription, 1, false)
    t.equal(live?.string(), 'live')
    t.equal(live?.reply ?? '', '')
    service.publish(`${root}.a`, 'from NATS')
    t.same(texts(await take(subscription, 1, false)), ['from NATS'])
    subscription.unsubscribe()
    await service.flush()
    await mqtt.publish(`${root}/a`, 'gone', { qos: 0 })
    await mqtt.publish(`${root}/a`, 'kept', { qos: 1 })
    t.same(texts(await take(service.subscribe(`${root}.a`, { queue }), 1)), ['kept'])
  })

  t.test('what is not acknowledged comes again when the connection is lost, first and in order', async (t) => {
    const { queue, root } = fresh()
    const host = await setting.start(t)
    const mqtt = await connectMqtt(t, host.mqttUrl)
    const first = await nats(t, host.natsUrl)
    const subscription = first.subscribe(`${root}.a`, { queue })
    await first.flush()
    await publish(mqtt, `${root}/a`, 0, 20)
    const messages = await take(subscription, 20, false)
    for (const message of messages.slice(0, 5)) message.respond()
    await first.flush()
    await first.close()
    await publish(mqtt, `${root}/a`, 20, 25)
    const second = await nats(t, host.natsUrl)
    const again = await take(second.subscribe(`${root}.a`, { queue }), 20)
    t.same(texts(again), numbers(5, 25))
    t.same(again.map((message) => message.headers?.get('Nmqtt-Delivered')), [...Array(15).fill('2'), ...Array(5).fill('')])
    t.same(again.slice(0, 15).map((message) => message.headers?.get('Nmqtt-Id')), messages.slice(5).map((message) => message.headers?.get('Nmqtt-Id')))
  })

  t.test('-NAK, +WPI, +TERM and an acknowledgement that asks for an answer', async (t) => {
    const { queue, root } = fresh()
    const host = await setting.start(t, { nats: { ackWait: 200 } })
    const mqtt = await connectMqtt(t, host.mqttUrl)
    const service = await nats(t, host.natsUrl)
    const subscription = service.subscribe(`${root}.a`, { queue })
    await service.flush()
    await publish(mqtt, `${root}/a`, 0, 1)
    const [one] = await take(subscription, 1, false)
    one?.respond('-NAK {"delay": 1000000}')
    const [two] = await take(subscription, 1, false)
    t.equal(two?.headers?.get('Nmqtt-Delivered'), '2')
    // Not in time: it comes again.
    const [three] = await take(subscription, 1, false)
    t.equal(three?.headers?.get('Nmqtt-Delivered'), '3')
    const extend = setInterval(() => { three?.respond('+WPI') }, 50)
    await publish(mqtt, `${root}/a`, 1, 2)
    const [other] = await take(subscription, 1, false)
    t.equal(other?.string(), '1')
    t.equal((await service.request(other?.reply as string, '+ACK')).data.length, 0, 'answered once stored')
    clearInterval(extend)
    three?.respond('+TERM')
    await service.flush()
    await service.close()
    const later = await nats(t, host.natsUrl)
    const rest = later.subscribe(`${root}.a`, { queue })
    await later.flush()
    await publish(mqtt, `${root}/a`, 2, 3)
    t.same(texts(await take(rest, 1)), ['2'])
  })

  t.test('durable groups are acknowledged by PONG', async (t) => {
    const { queue, root } = fresh('durable')
    const host = await setting.start(t)
    const mqtt = await connectMqtt(t, host.mqttUrl)
    const first = await nats(t, host.natsUrl)
    const subscription = first.subscribe(`${root}.a`, { queue })
    await first.flush()
    await publish(mqtt, `${root}/a`, 0, 10)
    const messages = await take(subscription, 10, false)
    t.same(texts(messages), numbers(0, 10))
    t.equal(messages[0]?.reply ?? '', '')
    await first.close()
    await publish(mqtt, `${root}/a`, 10, 12)
    // One that does not answer PINGs has them again.
    const raw = await connectRaw(t, host.natsPort)
    raw.send(`SUB ${root}.a ${queue} 1\r\n`)
    const got = await raw.expect(/HMSG [^]*\r\n11\r\n/)
    t.match(got, /\r\n10\r\n/)
    t.notMatch(got, /\r\n9\r\n/)
    raw.socket.destroy()
    const second = await nats(t, host.natsUrl)
    const again = await take(second.subscribe(`${root}.a`, { queue }), 2, false)
    t.same(texts(again), ['10', '11'])
    t.equal(again[0]?.headers?.get('Nmqtt-Delivered'), '2')
  })

  t.test('UNSUB, UNSUB with a maximum, drain', async (t) => {
    const { queue, root } = fresh()
    const host = await setting.start(t)
    const mqtt = await connectMqtt(t, host.mqttUrl)
    const service = await nats(t, host.natsUrl)
    const limited = service.subscribe(`${root}.a`, { queue, max: 3 })
    await service.flush()
    await publish(mqtt, `${root}/a`, 0, 10)
    const got: string[] = []
    for await (const message of limited) {
      got.push(message.string())
      message.respond()
    }
    t.same(got, numbers(0, 3))
    const drained = service.subscribe(`${root}.a`, { queue })
    const some = await take(drained, 2)
    t.same(texts(some), numbers(3, 5))
    const rest: string[] = []
    const reading = (async () => {
      for (;;) rest.push(...texts(await take(drained, 1)))
    })().catch(() => { /* The end of the subscription. */ })
    await drained.drain()
    await reading
    const last = service.subscribe(`${root}.a`, { queue })
    await service.flush()
    await publish(mqtt, `${root}/a`, 10, 11)
    while (!rest.includes('10')) rest.push(...texts(await take(last, 1)))
    t.same([...got, ...texts(some), ...rest], numbers(0, 11))
  })

  t.test('one group is one queue over the union of its filters', async (t) => {
    const { queue, root } = fresh()
    const host = await setting.start(t)
    const mqtt = await connectMqtt(t, host.mqttUrl)
    const service = await nats(t, host.natsUrl)
    const got: string[] = []
    const collect = (_error: Error | null, message: Msg): void => {
      got.push(message.subject.slice(root.length + 1) + message.string())
      message.respond()
    }
    for (const filter of ['*.b', 'a.*', 'a.b', 'a.>']) service.subscribe(`${root}.${filter}`, { queue, callback: collect })
    await service.flush()
    t.same((await host.gateway.durables.inspect(queue))?.filters.toSorted(), ['+/b', 'a/#', 'a/+', 'a/b'].map((filter) => `${root}/${filter}`))
    await publish(mqtt, `${root}/a/b`, 0, 10)
    await publish(mqtt, `${root}/x/b`, 0, 1)
    await publish(mqtt, `${root}/a`, 0, 1)
    await publish(mqtt, `${root}/a/c/d`, 0, 1)
    while (!got.includes('a.c.d0')) await service.flush()
    await service.flush()
    t.same(got.sort(), [...numbers(0, 10).map((text) => `a.b${text}`), 'x.b0', 'a.c.d0'].sort())
    const depth = async (): Promise<number> => {
      const info = await host.gateway.durables.inspect(queue)
      return info === null ? 0 : info.waiting + info.claimed + info.parked
    }
    while (await depth() > 0) await service.flush()
  })

  t.test('a message that only an absent member asks for waits for it, and holds no others', async (t) => {
    const { queue, root } = fresh()
    const host = await setting.start(t)
    const mqtt = await connectMqtt(t, host.mqttUrl)
    const service = await nats(t, host.natsUrl)
    const a = service.subscribe(`${root}.a.>`, { queue })
    const b = service.subscribe(`${root}.b.>`, { queue })
    await service.flush()
    b.unsubscribe()
    await service.flush()
    await publish(mqtt, `${root}/b/x`, 0, 1500)
    await publish(mqtt, `${root}/a/x`, 0, 3)
    t.same(texts(await take(a, 3)), numbers(0, 3))
    const back = service.subscribe(`${root}.b.>`, { queue })
    t.same(texts(await take(back, 1500)), numbers(0, 1500))
  })

  t.test('what was delivered too often is published elsewhere', async (t) => {
    const { queue, root } = fresh()
    const host = await setting.start(t, { nats: { maxDeliver: 2 } })
    const mqtt = await connectMqtt(t, host.mqttUrl)
    const watcher = await connectMqtt(t, host.mqttUrl)
    await watcher.subscribe('dead-letter/#')
    const service = await nats(t, host.natsUrl)
    const subscription = service.subscribe(`${root}.a`, { queue })
    await service.flush()
    await mqtt.publish(`${root}/a`, 'poison', { qos: 1 })
    for (let i = 0; i < 2; i++) (await take(subscription, 1, false))[0]?.respond('-NAK')
    const [dead] = await watcher.take()
    t.match(dead, { topic: `dead-letter/${queue.replace('.', '/')}/${root}/a`, qos: 1 })
    t.equal(dead?.payload.toString(), 'poison')
    t.match(await host.gateway.durables.inspect(queue), { buried: 1 })
  })

  t.test('a verbose NATS client is stored for the group before its +OK', async (t) => {
    const { queue, root } = fresh()
    const host = await setting.start(t)
    const service = await nats(t, host.natsUrl)
    service.subscribe(`${root}.a`, { queue })
    await service.flush()
    await service.close()
    const raw = await connectRaw(t, host.natsPort)
    raw.send(`CONNECT {"verbose":true}\r\nPUB ${root}.a 2\r\nhi\r\n`)
    await raw.expect('+OK\r\n+OK\r\n')
    const later = await nats(t, host.natsUrl)
    t.same(texts(await take(later.subscribe(`${root}.a`, { queue }), 1)), ['hi'])
  })

  t.test('the host decides who may be durable', async (t) => {
    const { queue, root } = fresh()
    const host = await setting.start(t)
    const asked: object[] = []
    host.broker.authorizeSubscribe = (_client, subscription, callback) => {
      asked.push({ ...subscription })
      callback(null, subscription.topic.endsWith('/no') ? null : subscription)
    }
    const raw = await connectRaw(t, host.natsPort)
    raw.send(`SUB ${root}.no ${queue} 1\r\nSUB ${root}.yes ${queue} 2\r\nSUB a/b ${queue} 3\r\n`)
    t.equal(await raw.fence(), `-ERR 'Permissions Violation for Subscription to "${root}.no" using queue "${queue}"'\r\n` +
      `-ERR 'Permissions Violation for Subscription to "a/b" using queue "${queue}"'\r\n`)
    t.same(asked.slice(0, 2), [{ topic: `${root}/no`, qos: 1, queue, durable: true }, { topic: `${root}/yes`, qos: 1, queue, durable: true }])
    t.same((await host.gateway.durables.inspect(queue))?.filters, [`${root}/yes`])
  })

  t.test('the gateway closes and comes again: nothing is lost', async (t) => {
    const { queue, root } = fresh()
    const one = await setting.start(t)
    const mqtt = await connectMqtt(t, one.mqttUrl)
    const service = await nats(t, one.natsUrl)
    const subscription = service.subscribe(`${root}.a`, { queue })
    await service.flush()
    await publish(mqtt, `${root}/a`, 0, 10)
    const messages = await take(subscription, 10, false)
    for (const message of messages.slice(0, 3)) message.respond()
    await service.flush()
    await one.gateway.close()
    await publish(mqtt, `${root}/a`, 10, 15)
    const { createGateway } = await import('../../lib/index.ts')
    const gateway = await createGateway(one.broker as never, {
      host: '127.0.0.1', port: 0, ...setting.redisPort === null ? {} : { redis: { url: `redis://127.0.0.1:${setting.redisPort}` } }
    })
    t.teardown(() => gateway.close())
    const again = await nats(t, `nats://127.0.0.1:${gateway.port}`)
    t.same(texts(await take(again.subscribe(`${root}.a`, { queue }), 12)), numbers(3, 15))
  })

  if (setting.redisPort !== null) {
    t.test('members on two nodes share, and a message published on any node is stored', async (t) => {
      const { queue, root } = fresh()
      const hosts = [await setting.start(t), await setting.start(t)] as const
      const devices = await Promise.all(hosts.map(({ mqttUrl }) => connectMqtt(t, mqttUrl)))
      const got: string[][] = [[], []]
      let finished: () => void
      const all = new Promise<void>((resolve) => { finished = resolve })
      const services = await Promise.all(hosts.map(({ natsUrl }) => nats(t, natsUrl)))
      for (const [i, service] of services.entries()) {
        service.subscribe(`${root}.>`, {
          queue,
          callback: (_error, message) => {
            got[i]?.push(message.string())
            message.respond()
            if (got.flat().length === 200) finished()
          }
        })
        await service.flush()
      }
      await Promise.all(devices.map((device, i) => publish(device, `${root}/a`, i * 100, i * 100 + 100)))
      await all
      t.same(got.flat().sort(), numbers(0, 200).sort())
      await services[0]?.close()
      await publish(devices[0] as MqttPeer, `${root}/a`, 200, 210)
      while (got.flat().length < 210) await services[1]?.flush()
      t.same(got.flat().sort(), numbers(0, 210).sort())
    })
  }
}

t.test('durable groups with official clients', async (t) => {
  for (const setting of await settings(t)) t.test(setting.name, async (t) => { suite(t, setting) })
})

t.test('maxDurables', async (t) => {
  for (const setting of (await settings(t)).slice(0, 2)) {
    const host = await setting.start(t, { nats: { maxDurables: 2 } })
    const raw = await connectRaw(t, host.natsPort)
    raw.send('SUB a acked.1 1\r\nSUB a acked.2 2\r\nSUB a acked.3 3\r\nSUB b acked.1 4\r\n')
    t.equal(await raw.fence(), '-ERR \'Permissions Violation for Subscription to "a" using queue "acked.3"\'\r\n')
    t.same((await host.gateway.durables.list()).map(({ name }) => name).sort(), ['acked.1', 'acked.2'])
  }
})

t.test('durable: false, and patterns of the host', async (t) => {
  const [memory] = await settings(t)
  const off = await (memory as Setting).start(t, { nats: { durable: false } })
  t.throws(() => off.gateway.durables, { code: 'NATS_ERR_NO_DURABLES' })
  t.same(off.gateway.health(), { ok: true, problems: [] })
  const raw = await connectRaw(t, off.natsPort)
  raw.send('SUB a acked.1 1\r\n')
  t.equal(await raw.fence(), '')
  const mqtt = await connectMqtt(t, off.mqttUrl)
  await mqtt.publish('a', 'x')
  await raw.expect('HMSG a 1 26 27\r\nNATS/1.0\r\nNmqtt-Pub: 1\r\n\r\nx\r\n')
  const own = await (memory as Setting).start(t, { nats: { durable: { 'jobs.>': 'reply' } } })
  const client = await connectRaw(t, own.natsPort)
  client.send('SUB a jobs.x.y 1\r\nSUB a acked.1 2\r\nSUB a jobs 3\r\nSUB a jobs..x 4\r\n')
  await client.fence()
  t.same((await own.gateway.durables.list()).map(({ name }) => name), ['jobs.x.y'])
})
