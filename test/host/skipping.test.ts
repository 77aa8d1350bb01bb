import t from 'tap'
import type { HostHooks, PublishPacket } from '../../lib/broker/host.ts'
import { startHost, versions } from '../helper/brokers.ts'
import { connectMqtt } from '../helper/mqtt.ts'
import { connect, type RawClient } from '../helper/raw.ts'

// A publish does not enter the broker while nobody behind it can want it. Whoever begins to want it misses nothing.

/** Publishes numbers until told to stop; says what it sent last. */
function numbers (client: RawClient, subject: string): { next: () => Promise<number> } {
  let sent = 0
  return {
    next: async () => {
      const text = String(++sent)
      client.send(`PUB ${subject} ${text.length}\r\n${text}\r\n`)
      await client.fence()
      return sent
    }
  }
}

for (const { name, create } of versions) {
  t.test(`${name}: nothing enters the broker while nobody there wants it`, async (t) => {
    const { broker, natsPort } = await startHost(t, { create })
    const entered: string[] = []
    const { publish } = broker
    broker.publish = function (this: unknown, packet: PublishPacket, ...rest: unknown[]) {
      if (!packet.topic.startsWith('$SYS/')) entered.push(packet.topic)
      return (publish as (...args: unknown[]) => void).call(this, packet, ...rest)
    } as typeof publish
    const client = await connect(t, natsPort)
    client.send('SUB > 1\r\nSUB a.b q 2\r\nPUB a.b 0\r\n\r\n')
    t.equal(await client.fence(), 'MSG a.b 1 0\r\n\r\nMSG a.b 2 0\r\n\r\n')
    t.strictSame(entered, [])
    broker.subscribe('a/+', (_packet, done) => { done() }, () => {})
    client.send('PUB a.b 0\r\n\r\nPUB c 0\r\n\r\n')
    await client.fence()
    t.strictSame(entered, ['a/b'])
  })

  t.test(`${name}: an MQTT client that subscribes gets all from its SUBACK on, and none after its UNSUBACK`, async (t) => {
    const host = await startHost(t, { create })
    const client = await connect(t, host.natsPort)
    const mqtt = await connectMqtt(t, host.mqttUrl)
    const { next } = numbers(client, 'a.b')
    for (const filter of ['a/b', 'a/+', '#']) {
      await next()
      await mqtt.subscribe(filter, { qos: 0 })
      const first = await next()
      const second = await next()
      t.strictSame((await mqtt.take(2)).map(({ payload }) => Number(payload)), [first, second], filter)
      await mqtt.client.unsubscribeAsync(filter)
    }
    t.strictSame(mqtt.received, [])
  })

  t.test(`${name}: an MQTT session that comes back, and goes`, async (t) => {
    const host = await startHost(t, { create })
    const client = await connect(t, host.natsPort)
    const { next } = numbers(client, 'a')
    for (let i = 0; i < 3; i++) {
      const mqtt = await connectMqtt(t, host.mqttUrl, { clientId: 'session', clean: false })
      if (i === 0) await mqtt.subscribe('a', { qos: 0 })
      const sent = await next()
      t.equal(Number((await mqtt.take())[0]?.payload), sent)
      await mqtt.client.endAsync()
      await next()
    }
  })

  t.test(`${name}: a listener of the host, at the broker and at its queue`, async (t) => {
    const host = await startHost(t, { create })
    const { broker } = host
    const { mq } = broker as unknown as { mq: { on: (topic: string, listener: unknown, done: () => void) => void, removeListener: (topic: string, listener: unknown, done: () => void) => void } }
    const client = await connect(t, host.natsPort)
    const { next } = numbers(client, 'a.b')
    const got: number[] = []
    const listener = (packet: PublishPacket, done: () => void): void => {
      got.push(Number(packet.payload))
      done()
    }
    await next()
    await new Promise<void>((resolve) => { broker.subscribe('a/#', listener as never, resolve) })
    const first = await next()
    await new Promise<void>((resolve) => { broker.unsubscribe('a/#', listener as never, resolve) })
    await next()
    await new Promise<void>((resolve) => { mq.on('+/b', listener, resolve) })
    const second = await next()
    await new Promise<void>((resolve) => { mq.removeListener('+/b', listener, resolve) })
    await next()
    t.strictSame(got, [first, second])
  })

  t.test(`${name}: a listener for 'publish' and the hook 'published', set at any time`, async (t) => {
    const host = await startHost(t, { create })
    const client = await connect(t, host.natsPort)
    const { next } = numbers(client, 'a.b')
    const got: string[] = []
    const ours = (packet: { topic: string, payload: Buffer | string }): boolean => !packet.topic.startsWith('$SYS/')
    const listener = (packet: { topic: string, payload: Buffer | string }): void => { if (ours(packet)) got.push(`event ${packet.payload.toString()}`) }
    const wanted: string[] = []
    await next()
    host.broker.on('publish', listener)
    wanted.push(`event ${await next()}`)
    host.broker.removeListener('publish', listener)
    await next()
    const hooks = host.broker as unknown as HostHooks
    const { published } = hooks
    hooks.published = (packet, _client, done) => {
      if (ours(packet)) got.push(`hook ${packet.payload.toString()}`)
      done()
    }
    wanted.push(`hook ${await next()}`)
    hooks.published = published
    await next()
    t.strictSame(got, wanted)
  })

  t.test(`${name}: interest that begins while messages pour in`, async (t) => {
    const host = await startHost(t, { create })
    const client = await connect(t, host.natsPort)
    const got: number[] = []
    let count = 0
    let seen = (): void => {}
    const last = 20_000
    const finished = new Promise<void>((resolve) => { seen = resolve })
    const listener = (packet: PublishPacket, done: () => void): void => {
      const number = Number(packet.payload)
      got.push(number)
      if (number === last) seen()
      done()
    }
    const pour = setInterval(() => {
      let text = ''
      for (let i = 0; i < 500 && count < last; i++) {
        const payload = String(++count)
        text += `PUB a.b ${payload.length}\r\n${payload}\r\n`
      }
      client.send(text)
      if (count === last) clearInterval(pour)
    }, 1)
    setTimeout(() => { host.broker.subscribe('a/b', listener as never, () => {}) }, 10)
    await finished
    const [first = 0] = got
    t.ok(first > 1, `began with ${first}`)
    t.strictSame(got, Array.from({ length: last - first + 1 }, (_, i) => first + i), 'all from the first on, in order')
  })
}
