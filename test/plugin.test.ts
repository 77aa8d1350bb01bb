import Fastify from 'fastify'
import t from 'tap'
import natsGateway, { type Broker, Gateway } from '../lib/index.ts'
import { startBroker, versions } from './helper/brokers.ts'
import { connectMqtt } from './helper/mqtt.ts'
import { connect } from './helper/raw.ts'

for (const { name, create } of versions) {
  t.test(`${name}: a gateway as Fastify plugin`, async (t) => {
    const { broker, mqttPort } = await startBroker(t, create)
    const fastify = Fastify()
    t.teardown(() => fastify.close())
    await fastify.register(natsGateway, { broker: broker as Broker, host: '127.0.0.1', port: 0 })
    t.ok(fastify.nats instanceof Gateway)
    t.equal(fastify.nats.port, 0, 'does not listen before Fastify is ready')
    await fastify.ready()
    const client = await connect(t, fastify.nats.port)
    client.send('SUB a 1\r\n')
    await client.fence()
    const mqtt = await connectMqtt(t, `mqtt://127.0.0.1:${mqttPort}`)
    await mqtt.publish('a', 'x', { qos: 0 })
    await client.expect('MSG a 1 1\r\nx\r\n')
    await fastify.close()
    t.equal(await client.end(), '')
    await mqtt.subscribe('a')
    await mqtt.publish('a', 'y')
    t.equal((await mqtt.take())[0]?.payload.toString(), 'y', 'the broker goes on')
  })

  t.test(`${name}: the broker of fastify.aedes`, async (t) => {
    const { broker } = await startBroker(t, create)
    const fastify = Fastify()
    t.teardown(() => fastify.close())
    fastify.decorate('aedes', broker as Broker)
    await fastify.register(natsGateway, { host: '127.0.0.1', port: 0 })
    await fastify.ready()
    await connect(t, fastify.nats.port)
  })
}

t.test('stops new connections before the server closes', async (t) => {
  const { broker } = await startBroker(t)
  const fastify = Fastify()
  t.teardown(() => fastify.close())
  await fastify.register(natsGateway, { broker: broker as Broker, host: '127.0.0.1', port: 0 })
  let check = async (): Promise<void> => {}
  fastify.addHook('preClose', () => check())
  await fastify.ready()
  const { port } = fastify.nats
  const client = await connect(t, port)
  check = async () => {
    await t.rejects(connect(t, port, null))
    client.send('SUB a 1\r\nPUB a 0\r\n\r\n')
    t.equal(await client.fence(), 'MSG a 1 0\r\n\r\n', 'those that are there go on')
  }
  await fastify.close()
  t.equal(await client.end(), '')
})

t.test('wrong options are errors at registration', async (t) => {
  const { broker } = await startBroker(t)
  const wrong: [object, string][] = [
    [{ broker, port: -1 }, 'NATS_ERR_OPTION'], [{ broker, prot: 1 }, 'NATS_ERR_OPTION_UNKNOWN'], [{ port: 0 }, 'NATS_ERR_BROKER'], [{ broker: {} }, 'NATS_ERR_BROKER']
  ]
  for (const [options, code] of wrong) {
    const fastify = Fastify()
    fastify.register(natsGateway, options)
    await t.rejects(async () => { await fastify.ready() }, { code })
    await fastify.close()
  }
})

t.test('a port that is taken fails ready()', async (t) => {
  const { broker } = await startBroker(t)
  const first = Fastify()
  t.teardown(() => first.close())
  await first.register(natsGateway, { broker: broker as Broker, host: '127.0.0.1', port: 0 }).ready()
  const { broker: other } = await startBroker(t)
  const second = Fastify()
  t.teardown(() => second.close())
  second.register(natsGateway, { broker: other as Broker, host: '127.0.0.1', port: first.nats.port })
  await t.rejects(async () => { await second.ready() }, { code: 'NATS_ERR_LISTEN' })
})

t.test('writes to the log of Fastify', async (t) => {
  const { broker } = await startBroker(t)
  const lines: string[] = []
  const fastify = Fastify({ logger: { level: 'info', stream: { write: (line: string) => { lines.push(line) } } } })
  await fastify.register(natsGateway, { broker: broker as Broker, host: '127.0.0.1', port: 0 }).ready()
  await fastify.close()
  t.ok(lines.some((line) => line.includes('Listening for client connections on 127.0.0.1:')))
})
