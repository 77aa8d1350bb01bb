import t from 'tap'
import { connect, type ServiceError } from 'nats'
import { startHost } from '../helper/brokers.ts'
import { clientSuite, overTcp, type ConnectTo, type Way } from './suite.ts'

// The older library; its connection has the shape of the newer one.
clientSuite(t, overTcp(connect as unknown as Way['connect']))

t.test('the services framework: PING, INFO, STATS and endpoints', async (t) => {
  const host = await startHost(t)
  const options: ConnectTo = { servers: host.natsUrl }
  const provider = await connect(options)
  const consumer = await connect(options)
  t.teardown(() => Promise.all([provider.close(), consumer.close()]))
  const services = await Promise.all([1, 2].map(async (i) => {
    const service = await provider.services.add({ name: 'adder', version: '1.0.0', description: `number ${i}` })
    service.addGroup('math').addEndpoint('add', {
      handler: (error: ServiceError | Error | null, message) => {
        if (error === null) message.respond(String(message.json<number[]>().reduce((sum, each) => sum + each)))
      }
    })
    return service
  }))
  await provider.flush()
  for (let i = 0; i < 10; i++) t.equal((await consumer.request('math.add', JSON.stringify([i, 2]))).string(), String(i + 2))
  const client = consumer.services.client({ maxWait: 5000, strategy: 'count', maxMessages: 2 } as never)
  const collect = async <T>(answers: Promise<AsyncIterable<T>>): Promise<T[]> => {
    const list: T[] = []
    for await (const answer of await answers) list.push(answer)
    return list
  }
  t.equal((await collect(client.ping('adder'))).length, 2)
  t.strictSame((await collect(client.info('adder'))).map((info) => info.description).sort(), ['number 1', 'number 2'])
  const stats = await collect(client.stats('adder'))
  t.equal(stats.reduce((sum, each) => sum + (each.endpoints?.[0]?.num_requests ?? 0), 0), 10)
  await Promise.all(services.map((service) => service.stop()))
})
