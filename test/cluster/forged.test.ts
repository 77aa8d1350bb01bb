import Fastify from 'fastify'
import t from 'tap'
import { monitorRoutes } from '../../lib/monitor/routes.ts'
import type { Host } from '../helper/brokers.ts'
import { connectMqtt } from '../helper/mqtt.ts'
import { startRedis } from '../helper/processes.ts'
import { startRedisBroker } from '../helper/redis-brokers.ts'
import { startRedisHost } from '../helper/redis-nodes.ts'

const aedes = { authorizePublish: (_client: unknown, _packet: unknown, callback: (error?: Error | null) => void) => { callback(null) } }

/** What `/routez` says. */
async function forgedAt ({ gateway }: Host): Promise<number> {
  const fastify = Fastify()
  await fastify.register(monitorRoutes, { gateway })
  const { forged_msgs: forged } = (await fastify.inject('/routez')).json<{ forged_msgs: number }>()
  await fastify.close()
  return forged
}

for (const plainNodes of ['auto', false, true] as const) {
  t.test(`what clients publish where gateways talk is counted once, where it enters (plainNodes: ${plainNodes})`, async (t) => {
    const { port } = await startRedis(t)
    const warnings: string[] = []
    const logger = { trace: () => {}, debug: () => {}, info: () => {}, warn: (_details: object, text: string) => { warnings.push(text) }, error: () => {} }
    const nats = { plainNodes, logger, durable: false } as const
    const near = await startRedisHost(t, port, { aedes, nats })
    const far = await startRedisHost(t, port, { aedes, nats })
    const ears = [await connectMqtt(t, near.mqttUrl), await connectMqtt(t, far.mqttUrl)]
    for (const ear of ears) await ear.subscribe('fence', { qos: 0 })
    const counts = async (url: string, topics: readonly string[]): Promise<number[]> => {
      const device = await connectMqtt(t, url, { clientId: 'forger' })
      for (const topic of topics) for (const qos of [0, 1]) await device.publish(topic, 'x', { qos })
      // Both have what the queue brought before.
      await device.publish('fence', '', { qos: 1 })
      for (const ear of ears) await ear.take()
      await device.client.endAsync()
      return [await forgedAt(near), await forgedAt(far)]
    }
    const topics = ['$SYS/x/nats/presence', `$SYS/${near.broker.id}/nats/batches`, `$SYS/${far.broker.id}/nats/batches`, '$SYS/x/nats/y/z', '$SYS/x/birth']
    t.strictSame(await counts(near.mqttUrl, topics), [10, 0])
    t.strictSame(await counts(far.mqttUrl, ['$SYS/x/nats/presence', '$SYS/x/birth/y', '$SYS/nats/presence']), [10, 2])
    t.strictSame(warnings, [near, far].map(() => 'client forger publishes on topics that are reserved for gateways: ignored, and counted from here on'))
    // Nobody else counts those of a node without the gateway.
    const { url } = await startRedisBroker(t, port, { shared: true, aedes })
    t.strictSame(await counts(url, ['$SYS/x/nats/presence']), [12, 4])
  })
}
