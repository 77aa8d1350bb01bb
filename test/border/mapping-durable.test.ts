import t, { type Test } from 'tap'
import { type Setting, settings } from '../durable/hosts.ts'
import { versions } from '../helper/brokers.ts'
import { connectMqtt } from '../helper/mqtt.ts'
import { startRedis } from '../helper/processes.ts'
import { connect } from '../helper/raw.ts'
import { startRedisHost } from '../helper/redis-nodes.ts'
import { got, next, pub, take, tenants } from './tenants.ts'

const plants = { mapping: { 'factory.': 'plant/7/', 'office.': 'plant/8/' } }
let groups = 0

function suite (t: Test, setting: Setting): void {
  for (const mountpoint of ['', 'ann/']) {
    t.test(`a group has every message once, whatever its topics are${mountpoint === '' ? '' : ', with a mountpoint'}`, async (t) => {
      const queue = `acked.mapped${++groups}`
      const host = await setting.start(t, { nats: { ...plants, ...mountpoint === '' ? {} : tenants } })
      const device = await connectMqtt(t, host.mqttUrl)
      const join = async (): Promise<Awaited<ReturnType<typeof connect>>> => {
        const client = await connect(t, host.natsPort, { user: 'ann' })
        client.send(`SUB *.sensor ${queue} 1\r\nSUB factory.> ${queue} 2\r\n`)
        return client
      }
      const before = await join()
      await before.fence()
      before.socket.end()
      await before.end()
      const topics = ['plant/7/sensor', 'plant/8/sensor', 'hall/sensor', 'plant/7/x', 'plant/8/x', 'plant/9/sensor', 'factory/sensor', 'sensor'].map((topic) => mountpoint + topic)
      for (const topic of topics) await device.publish(topic, topic, { qos: 1 })
      t.strictSame((await host.gateway.durables.inspect(queue, mountpoint))?.filters.toSorted(), ['+/sensor', '_INBOX/sensor', 'plant/7/#', 'plant/7/sensor', 'plant/8/sensor'].map((topic) => mountpoint + topic))
      const service = await join()
      const seen: string[] = []
      while (seen.length < 4) {
        const { subject, payload, reply } = await next(service)
        seen.push(`${subject} ${payload.slice(mountpoint.length)}`)
        service.send(pub(reply))
      }
      t.strictSame(seen.sort(), ['factory.sensor plant/7/sensor', 'factory.x plant/7/x', 'hall.sensor hall/sensor', 'office.sensor plant/8/sensor'])
      await device.publish(`${mountpoint}plant/8/sensor`, 'last', { qos: 1 })
      const { subject, reply } = await next(service)
      t.equal(subject, 'office.sensor')
      service.send(pub(reply))
      // An empty store says that what nobody asks for is gone, too.
      for (;;) {
        await service.fence()
        const depth = await host.gateway.durables.inspect(queue, mountpoint)
        if (depth?.waiting === 0 && depth.claimed === 0 && depth.parked === 0) break
      }
      t.strictSame(await got(service), [])
    })
  }
}

t.test('durable groups under a mapping', async (t) => {
  for (const setting of await settings(t)) t.test(setting.name, async (t) => { suite(t, setting) })
})

t.test('a mapping on two nodes', async (t) => {
  const { port } = await startRedis(t)
  for (const { name, create } of versions) {
    t.test(`${name}: a wildcard over several prefixes gets everything once`, async (t) => {
      const near = await startRedisHost(t, port, { create, nats: plants })
      const far = await startRedisHost(t, port, { create, nats: plants })
      const device = await connectMqtt(t, far.mqttUrl)
      await device.subscribe('#')
      const [client, there] = [await connect(t, near.natsPort), await connect(t, far.natsPort)]
      for (const subscriber of [client, there]) {
        subscriber.send('SUB *.sensor 1\r\n')
        await subscriber.fence()
      }
      client.send(['factory', 'office', 'hall', 'plant'].map((first) => pub(`${first}.sensor`, 'NATS')).join('') + pub('plant.7.sensor', 'NATS-only') + pub('end.sensor'))
      const expected = (payload: string): string[] => ['1 end.sensor ', ...['factory', 'hall', 'office', 'plant'].map((first) => `1 ${first}.sensor ${payload}`)]
      t.strictSame(await take(there, 5), expected('NATS'))
      t.strictSame(await got(client), expected('NATS'))
      t.strictSame((await device.take(5)).map(({ topic }) => topic), ['plant/7/sensor', 'plant/8/sensor', 'hall/sensor', 'plant/sensor', 'end/sensor'])
      for (const topic of ['plant/7/sensor', 'plant/8/sensor', 'hall/sensor', 'factory/sensor', 'plant/sensor']) await device.publish(topic, 'MQTT')
      await device.publish('end/sensor', '')
      for (const subscriber of [client, there]) {
        t.strictSame(await take(subscriber, 5), expected('MQTT'))
        t.strictSame(await got(subscriber), [])
      }
    })
  }
})
