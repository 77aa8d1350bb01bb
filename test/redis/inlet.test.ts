import t from 'tap'
import { startRedis } from '../helper/processes.ts'
import { connect } from '../helper/raw.ts'
import { connectMqtt } from '../helper/mqtt.ts'
import { startRedisHost } from '../helper/redis-nodes.ts'
import { versions } from '../helper/brokers.ts'

t.test('a gateway on Redis', async (t) => {
  const redis = await startRedis(t)

  for (const { name, create } of versions) {
    t.test(`${name}: a PONG says that the subscriptions before it are live`, async (t) => {
      const first = await startRedisHost(t, redis.port, { create })
      const second = await startRedisHost(t, redis.port, { create })
      const publisher = await connectMqtt(t, second.mqttUrl)
      for (let i = 0; i < 50; i++) {
        const client = await connect(t, first.natsPort)
        client.send(`SUB live.${i}.* 1\r\nSUB live.${i}.> 2\r\nSUB live.${i}.x 3\r\n`)
        t.equal(await client.fence(), '')
        await publisher.publish(`live/${i}/x`, 'x', { qos: 0 })
        await client.expect(new RegExp(`(MSG live\\.${i}\\.x [123] 1\\r\\nx\\r\\n){3}`))
      }
    })
  }

  // mqemitter-redis hands filters to Redis as globs, and counts them by that text.
  const [, version] = versions
  const topics = ['foo/x', 'foo*', 'foo*/x', 's[1]/x', 's1/x', 's?/x', 'a\\b/x', 'constructor', '__proto__', 'toString']
  const pairs: [string, string][] = [
    ['foo*', 'foo.>'], ['s[1].*', 's1.*'], ['s?.*', 's.>'], ['a\\b.*', 'ab.*'], ['foo*.>', 'foo.*'], ['*', '>'], ['constructor', 'foo.>'], ['__proto__', '*'], ['toString', 'constructor']
  ]
  for (const pair of pairs) {
    for (const [one, other] of [pair, [...pair].reverse()] as [string, string][]) {
      t.test(`SUB ${one}, then SUB ${other}: nothing is lost`, async (t) => {
        const host = await startRedisHost(t, redis.port, version)
        const publisher = await connectMqtt(t, (await startRedisHost(t, redis.port, version)).mqttUrl)
        const client = await connect(t, host.natsPort)
        client.send(`SUB ${one} one\r\nSUB ${other} other\r\nSUB end end\r\n`)
        await client.fence()
        const wanted: string[] = []
        for (const topic of topics) {
          await publisher.publish(topic, 'x', { qos: 0 })
          const subject = topic.replaceAll('/', '.')
          for (const [filter, sid] of [[one, 'one'], [other, 'other']] as const) {
            const tokens = filter.split('.')
            const names = subject.split('.')
            const matches = tokens.every((token, i) => token === '>' ? names.length > i : i < names.length && (token === '*' || token === names[i])) &&
              (tokens.at(-1) === '>' || tokens.length === names.length)
            if (matches) wanted.push(`MSG ${subject} ${sid} 1`)
          }
        }
        // The second one comes behind all that is wanted.
        await publisher.publish('end', 'x', { qos: 0 })
        await publisher.publish('end', 'x', { qos: 0 })
        const text = await client.expect(/([^]*?MSG end end 1\r\nx\r\n){2}/)
        t.strictSame(text.split('\r\n').filter((line) => line.startsWith('MSG ') && !line.startsWith('MSG end ')).sort(), wanted.sort())
      })
    }
  }

  t.test('unsubscribing and subscribing again in one go keeps the filter', async (t) => {
    const host = await startRedisHost(t, redis.port)
    const publisher = await connectMqtt(t, (await startRedisHost(t, redis.port)).mqttUrl)
    const client = await connect(t, host.natsPort)
    for (let i = 0; i < 20; i++) {
      client.send(`SUB again.* ${i}\r\nUNSUB ${i}\r\nSUB again.* ${i}\r\n`)
      await client.fence()
      await publisher.publish('again/x', 'x', { qos: 0 })
      await client.expect(`MSG again.x ${i} 1\r\nx\r\n`)
      client.send(`UNSUB ${i}\r\n`)
    }
  })

  t.test('NATS to NATS and MQTT over two nodes, once each', async (t) => {
    const one = await startRedisHost(t, redis.port)
    const two = await startRedisHost(t, redis.port)
    const near = await connect(t, one.natsPort)
    const far = await connect(t, two.natsPort)
    const mqtt = await connectMqtt(t, two.mqttUrl)
    await mqtt.subscribe('#', { qos: 0 })
    near.send('SUB a.> 1\r\nSUB a.b 2\r\n')
    far.send('SUB a.> 1\r\nSUB a.b 2\r\nSUB $x.> 3\r\nSUB > 4\r\n')
    await near.fence()
    await far.fence()
    near.send('PUB a.b re.ply 1\r\nx\r\nPUB $x.y 1\r\ny\r\nPUB a.end 0\r\n\r\n')
    t.equal(await near.fence(), 'MSG a.b 1 re.ply 1\r\nx\r\nMSG a.b 2 re.ply 1\r\nx\r\nMSG a.end 1 0\r\n\r\n')
    const text = await far.expect(/[^]*?(MSG a.end [14] 0\r\n\r\n){2}/)
    t.strictSame(text.split('\r\n').filter((line) => line.startsWith('MSG')).sort(), [
      'MSG $x.y 3 1', 'MSG $x.y 4 1', 'MSG a.b 1 re.ply 1', 'MSG a.b 2 re.ply 1', 'MSG a.b 4 re.ply 1', 'MSG a.end 1 0', 'MSG a.end 4 0'
    ])
    t.strictSame((await mqtt.take(2)).map(({ topic }) => topic), ['a/b', 'a/end'])
  })
})
