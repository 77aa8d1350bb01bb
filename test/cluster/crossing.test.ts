import type { AedesOptions } from 'aedes'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { createGateway } from '../../lib/index.ts'
import type { Broker, PublishPacket } from '../../lib/broker/host.ts'
import { versions, type Host } from '../helper/brokers.ts'
import { connectMqtt } from '../helper/mqtt.ts'
import { startRedis } from '../helper/processes.ts'
import { connect, type RawClient } from '../helper/raw.ts'
import { startRedisBroker } from '../helper/redis-brokers.ts'
import { startRedisHost } from '../helper/redis-nodes.ts'

interface Shown {
  topic: string
  [field: string]: unknown
}

type Forwarding = Host & { shown: Shown[], service: RawClient }

const all = { plainNodes: false } as const

/** What Redis is asked to publish, by topic; what gateways say to each other is left out. */
async function spy (t: Test, port: number): Promise<string[]> {
  const redis = new Redis({ port, host: '127.0.0.1' })
  t.teardown(() => { redis.disconnect() })
  const topics: string[] = []
  redis.on('pmessageBuffer', (_pattern: Buffer, channel: Buffer) => {
    const topic = channel.toString()
    if (!topic.startsWith('$SYS/')) topics.push(topic)
  })
  await redis.psubscribe('*')
  return topics
}

t.test('what crosses the queue', async (t) => {
  const { port } = await startRedis(t)

  for (const { name, create } of versions) {
    t.test(`${name}: a SUBACK says that all nodes know: nothing that is published then is missed, from MQTT or NATS`, async (t) => {
      const [near, far] = [await startRedisHost(t, port, { create, nats: all }), await startRedisHost(t, port, { create, nats: all })]
      const device = await connectMqtt(t, near.mqttUrl)
      const service = await connect(t, near.natsPort)
      for (let i = 0; i < 30; i++) {
        const subscriber = await connectMqtt(t, far.mqttUrl)
        await subscriber.subscribe(`one/${i}/+`)
        await device.publish(`one/${i}/mqtt`, 'x', { qos: 0 })
        service.send(`PUB one.${i}.nats 1\r\nx\r\n`)
        t.strictSame((await subscriber.take(2)).map(({ topic }) => topic).sort(), [`one/${i}/mqtt`, `one/${i}/nats`])
        await subscriber.client.endAsync()
      }
    })
  }

  t.test('what nobody wants anywhere does not, and what somebody of NATS alone wants not as an MQTT message', async (t) => {
    const [near, far] = [await startRedisHost(t, port, { nats: all }), await startRedisHost(t, port, { nats: all })]
    const seen = await spy(t, port)
    const device = await connectMqtt(t, near.mqttUrl)
    const service = await connect(t, far.natsPort)
    const other = await connect(t, near.natsPort)
    service.send('SUB data.> 1\r\n')
    await service.fence()
    await device.publish('nobody', 'x', { qos: 0 })
    await device.publish('data/1', 'a', { qos: 0 })
    await device.publish('data/2', 'b', { qos: 1 })
    other.send('PUB nobody 0\r\n\r\nPUB data.3 1\r\nc\r\n')
    await service.expect(/^MSG data\.1 1 1\r\na\r\nHMSG data\.2 1 \d+ \d+\r\nNATS\/1\.0\r\nNmqtt-Pub: 1\r\n\r\nb\r\nMSG data\.3 1 1\r\nc\r\n$/)
    const subscriber = await connectMqtt(t, far.mqttUrl)
    await subscriber.subscribe('data/+')
    await device.publish('data/4', 'd', { qos: 0 })
    t.match(await subscriber.take(), [{ topic: 'data/4' }])
    await service.expect(/MSG data\.4 1 1\r\nd\r\n$/)
    t.strictSame(seen, ['data/4'])
  })

  for (const { name, create } of versions) {
    t.test(`${name}: authorizeForward sees the same packet on the other node`, async (t) => {
      const [near, far] = await Promise.all([0, 1].map(async () => {
        const shown: Shown[] = []
        const authorizeForward = (_client: object, { topic, payload, qos, retain, clientId, properties }: PublishPacket): PublishPacket => {
          shown.push({ topic, payload: payload.toString(), qos, retain, clientId, properties })
          return { topic, payload, qos, retain } as PublishPacket
        }
        const host = await startRedisHost(t, port, { create, nats: all, aedes: { authorizeForward } as AedesOptions })
        const service = await connect(t, host.natsPort)
        service.send('SUB f.* 1\r\nSUB done 2\r\n')
        await service.fence()
        return { ...host, shown, service }
      })) as unknown as [Forwarding, Forwarding]
      for (const { natsPort } of [near, far]) await (await connect(t, natsPort)).fence()
      const device = await connectMqtt(t, near.mqttUrl, { clientId: `gerät-${name}` })
      const other = await connectMqtt(t, near.mqttUrl, { clientId: 'other' })
      const nats = await connect(t, near.natsPort)
      await device.publish('f/1', 'x', { qos: 1, retain: true })
      await other.publish('f/2', 'x', { qos: 0 })
      await device.publish('f/3', 'x', { qos: 0 })
      for (const { service } of [near, far]) await service.expect(/(?=[^]*MSG f\.1 )(?=[^]*MSG f\.2 )(?=[^]*MSG f\.3 1 1\r\nx\r\n)[^]*/)
      nats.send('PUB f.4 answer 1\r\nx\r\nHPUB f.5 18 19\r\nNATS/1.0\r\nA: b\r\n\r\nx\r\nPUB done 0\r\n\r\n')
      for (const { service } of [near, far]) await service.expect(/[^]*MSG done 2 0\r\n\r\n/)
      const byTopic = (one: { topic: string }, other: { topic: string }): number => one.topic < other.topic ? -1 : 1
      t.match(near.shown.sort(byTopic), [{ topic: 'done' }, { topic: 'f/1', qos: 1, retain: true, clientId: `gerät-${name}` }, {}, {}, { clientId: /^nats:/ }, {}])
      t.strictSame(far.shown.sort(byTopic), near.shown)
      await device.publish('f/1', '', { qos: 1, retain: true })
    })
  }

  t.test('whoever does not want its own messages does not get them back from another node', async (t) => {
    const [near, far] = [await startRedisHost(t, port, { nats: all }), await startRedisHost(t, port, { nats: all })]
    const publisher = await connect(t, near.natsPort, { echo: false })
    const member = await connect(t, far.natsPort)
    publisher.send('SUB e g 1\r\nSUB done 2\r\n')
    await publisher.fence()
    // All but the first find no member there any more, who would be one here.
    member.send('SUB e g 1\r\nUNSUB 1 1\r\n')
    await member.fence()
    publisher.send('PUB e 1\r\nx\r\n'.repeat(50))
    await member.expect('MSG e 1 1\r\nx\r\n')
    member.send('PUB done 0\r\n\r\n')
    await publisher.expect('MSG done 2 0\r\n\r\n')
  })

  t.test('a node that is only just there, without its gateway, misses nothing, where all are to have one', async (t) => {
    const near = await startRedisHost(t, port, { nats: all })
    const device = await connectMqtt(t, near.mqttUrl)
    const young = await startRedisBroker(t, port, { shared: true })
    const subscriber = await connectMqtt(t, young.url)
    await subscriber.subscribe('young/+')
    for (const topic of ['young/1', 'young/2']) await device.publish(topic, 'x', { qos: 0 })
    t.strictSame((await subscriber.take(2)).map(({ topic }) => topic), ['young/1', 'young/2'])
  })

  t.test('where only the gateway of a node is closed, its MQTT clients go on', async (t) => {
    const [near, far] = [await startRedisHost(t, port, { nats: all }), await startRedisHost(t, port, { nats: all })]
    const device = await connectMqtt(t, near.mqttUrl)
    const subscriber = await connectMqtt(t, far.mqttUrl)
    await subscriber.subscribe('on/+')
    await far.gateway.close()
    const other = await connectMqtt(t, far.mqttUrl)
    await other.subscribe('on/#')
    await device.publish('on/1', 'x', { qos: 0 })
    for (const peer of [subscriber, other]) t.match(await peer.take(), [{ topic: 'on/1' }])
    // And NATS clients of other nodes hear them.
    const service = await connect(t, near.natsPort)
    service.send('SUB from.* 1\r\n')
    await service.fence()
    await other.publish('from/there', 'x', { qos: 0 })
    await service.expect('MSG from.there 1 1\r\nx\r\n')
  })

  t.test('a node that has just started knows who answers, and says of nobody else that he does not', async (t) => {
    const near = await startRedisHost(t, port, { nats: all })
    const service = await connect(t, near.natsPort)
    service.send('SUB svc.just 1\r\n')
    await service.fence()
    for (let i = 0; i < 5; i++) {
      const far = await startRedisHost(t, port, { nats: all })
      t.ok(far.gateway.nodes.some(({ presence, hasState }) => presence.broker === near.broker.id && hasState))
      const client = await connect(t, far.natsPort)
      client.send('SUB inbox 1\r\nPUB svc.just inbox 0\r\n\r\n')
      // With the address of the node that is new, or was.
      await service.expect('MSG svc.just 1 inbox 0\r\n\r\n')
      service.send('PUB inbox 2\r\nme\r\n')
      await client.expect('MSG inbox 1 2\r\nme\r\n')
    }
  })

  for (const { name, create } of versions) {
    t.test(`${name}: whoever listened to $SYS/# before there was a gateway does not hear gateways`, async (t) => {
      const { broker, url } = await startRedisBroker(t, port, { create, shared: true })
      const early = await connectMqtt(t, url)
      await early.subscribe('$SYS/#')
      const gateway = await createGateway(broker as Broker, { host: '127.0.0.1', port: 0, ...all })
      const heard = (): string[] => early.received.map(({ topic }) => topic).filter((topic) => /\/nats\//.test(topic))
      // Its answer comes behind what the client was sent.
      await early.subscribe('fence')
      t.strictSame(heard(), [])
      await gateway.close()
      // What others say meanwhile it hears, as on any node without a gateway.
      const again = await createGateway(broker as Broker, { host: '127.0.0.1', port: 0, ...all })
      t.teardown(() => again.close())
      await early.subscribe('fence')
      early.received.length = 0
      // Both say that they are there.
      await startRedisHost(t, port, { nats: all })
      const marker = await connectMqtt(t, url, { clientId: 'marker' })
      await marker.client.endAsync()
      while (!early.received.some(({ topic, payload }) => topic.endsWith('/disconnect/clients') && String(payload) === 'marker')) await early.take(0).then(() => new Promise((resolve) => { setImmediate(resolve) }))
      t.strictSame(heard(), [])
    })
  }
})

t.test('many subscriptions are few patterns to Redis, and all of them get what is theirs from nodes without the gateway', async (t) => {
  const { port } = await startRedis(t)
  const redis = new Redis({ port, host: '127.0.0.1' })
  t.teardown(() => { redis.disconnect() })
  const patterns = async (): Promise<number> => Number(await redis.pubsub('NUMPAT'))
  const plain = await startRedisBroker(t, port, { shared: true })
  const device = await connectMqtt(t, plain.url)
  const host: Host = await startRedisHost(t, port, { nats: { plainNodes: true } })
  const count = 10_000
  const before = await patterns()

  for (const [kind, filterOf, topicOf, most] of [
    ['exact subjects', (i: number) => `exact.s${i}`, (i: number) => `exact/s${i}`, 0],
    ['inboxes', (i: number) => `_INBOX.i${i}.*`, (i: number) => `_INBOX/i${i}/1`, 1],
    ['wildcards', (i: number) => `wild.w${i}.*.x`, (i: number) => `wild/w${i}/1/x`, 100],
    ['wildcards without a common prefix', (i: number) => `w${i}.>`, (i: number) => `w${i}/1`, 100]
  ] as const) {
    t.test(`${count} ${kind}`, async (t) => {
      const client = await connect(t, host.natsPort)
      client.send(Array.from({ length: count }, (_, i) => `SUB ${filterOf(i)} ${i}\r\n`).join(''))
      await client.fence()
      const added = await patterns() - before
      t.ok(added <= most, `${added} patterns`)
      for (const i of [0, 17, count - 1]) {
        await device.publish(topicOf(i), 'x', { qos: 0 })
        await client.expect(`MSG ${topicOf(i).replaceAll('/', '.')} ${i} 1\r\nx\r\n`)
      }
      client.send(Array.from({ length: count }, (_, i) => `UNSUB ${i}\r\n`).join(''))
      await client.fence()
      await client.socket.end()
    })
  }
})
