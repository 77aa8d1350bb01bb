import t from 'tap'
import { versions } from '../helper/brokers.ts'
import { until } from '../helper/links.ts'
import { connectMqtt } from '../helper/mqtt.ts'
import { startRedis } from '../helper/processes.ts'
import { connect, type RawClient } from '../helper/raw.ts'
import { startRedisHost } from '../helper/redis-nodes.ts'
import { got, kept, library, next, openPortOf, pub, take, tenants } from './tenants.ts'

t.test('two nodes', async (t) => {
  const { port } = await startRedis(t)
  for (const { name, create } of versions) {
    t.test(`${name}: tenants are the same on every node, and apart on each`, async (t) => {
      const near = await startRedisHost(t, port, { create, nats: tenants })
      const far = await startRedisHost(t, port, { create, nats: tenants })
      const [ann, bob, farAnn, farBob] = await Promise.all([near, near, far, far].map(async ({ natsPort }, i): Promise<RawClient> => await connect(t, natsPort, { user: i % 2 === 0 ? 'ann' : 'bob' }))) as [RawClient, RawClient, RawClient, RawClient]
      const open = await connect(t, openPortOf(far))
      for (const client of [farAnn, farBob]) {
        client.send('SUB foo.* 1\r\nSUB > 2\r\n')
        await client.fence()
      }
      open.send('SUB *.foo.> 1\r\n')
      await open.fence()
      for (const [client, who] of [[ann, 'ann'], [bob, 'bob']] as const) client.send(pub('foo.x', who, '_INBOX.1') + pub('foo.$y', who) + pub('the.end'))
      for (const [client, who] of [[farAnn, 'ann'], [farBob, 'bob']] as const) {
        t.strictSame(await take(client, 5), [`1 foo.$y ${who}`, `1 foo.x _INBOX.1 ${who}`, `2 foo.$y ${who}`, `2 foo.x _INBOX.1 ${who}`, '2 the.end '])
      }
      t.strictSame(await take(open, 4), ['1 ann.foo.$y ann', '1 ann.foo.x ann._INBOX.1 ann', '1 bob.foo.$y bob', '1 bob.foo.x bob._INBOX.1 bob'])
      open.send(pub('ann.hello', 'x', 'ann.answer') + pub('bob.hello', 'y', 'ann.answer') + pub('bob.the.end'))
      t.strictSame(await take(farAnn, 1), ['2 hello answer x'])
      t.strictSame(await take(farBob, 2), ['2 hello y', '2 the.end '])
      t.strictSame([...await got(farAnn), ...await got(farBob), ...await got(open)], [])
    })

    t.test(`${name}: requests between nodes`, async (t) => {
      const near = await startRedisHost(t, port, { create, nats: tenants })
      const far = await startRedisHost(t, port, { create, nats: tenants })
      for (const user of ['ann', 'bob']) {
        const service = await library(t, far.natsPort, user)
        service.subscribe('svc', { queue: 'q', callback: (_error, message) => { message.respond(`${user} ${message.string()}`) } })
        await service.flush()
      }
      const open = await library(t, openPortOf(far))
      open.subscribe('*.open', { callback: (_error, message) => { message.respond(`${message.subject} ${message.string()}`) } })
      await open.flush()
      const [ann, bob] = [await library(t, near.natsPort, 'ann'), await library(t, near.natsPort, 'bob')]
      const answers = await Promise.all(Array.from({ length: 40 }, async (_, i) => (await (i % 2 === 0 ? ann : bob).request(i % 4 < 2 ? 'svc' : 'open', String(i))).string()))
      t.strictSame(answers, Array.from({ length: 40 }, (_, i) => `${i % 2 === 0 ? 'ann' : 'bob'}${i % 4 < 2 ? '' : '.open'} ${i}`))
      await Promise.all([ann.close(), bob.close()])
      await until(() => near.gateway.clients.size === 0)
      t.strictSame(kept(near), { mountpoints: ['ann/', 'bob/'], topicFilters: [] }, 'the other node has subscribers there')
    })

    t.test(`${name}: a durable group of a tenant spans the nodes`, async (t) => {
      const queue = `acked.nodes${name.length}${name.at(-1) ?? ''}`
      const nats = { ...tenants, redis: { url: `redis://127.0.0.1:${port}` } }
      const near = await startRedisHost(t, port, { create, nats })
      const far = await startRedisHost(t, port, { create, nats })
      const device = await connectMqtt(t, near.mqttUrl)
      for (const user of ['ann', 'bob']) {
        const client = await connect(t, near.natsPort, { user })
        client.send(`SUB s.* ${queue} 1\r\n`)
        await client.fence()
        client.socket.end()
        await client.end()
      }
      for (const topic of ['ann/s/1', 'bob/s/1', 'ann/s/2']) await device.publish(topic, topic, { qos: 1 })
      const listed = async (): Promise<string[]> => (await far.gateway.durables.list()).filter((info) => info.name === queue)
        .map(({ mountpoint, filters, waiting }) => `${mountpoint} ${filters.join()} ${waiting}`).sort()
      t.strictSame(await listed(), ['ann/ ann/s/+ 2', 'bob/ bob/s/+ 1'])
      const ann = await connect(t, far.natsPort, { user: 'ann' })
      ann.send(`SUB s.* ${queue} 1\r\n`)
      for (const text of ['ann/s/1', 'ann/s/2']) {
        const { subject, payload, reply } = await next(ann)
        t.strictSame([subject, payload], [`s.${text.at(-1) ?? ''}`, text])
        ann.send(pub(reply))
      }
      t.equal(await near.gateway.durables.purge(queue, 'bob/'), 1)
      await near.gateway.durables.remove(queue, 'bob/')
      t.strictSame((await listed()).map((line) => line.split(' ')[0]), ['ann/'])
    })
  }
})
