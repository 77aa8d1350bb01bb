import t from 'tap'
import { connectMqtt } from '../helper/mqtt.ts'
import { connectNats } from '../helper/nats.ts'
import { startRedis } from '../helper/processes.ts'
import { connect } from '../helper/raw.ts'
import { startRedisHost } from '../helper/redis-nodes.ts'

const nats = { plainNodes: false } as const

t.test('one of two MQTT subscriptions that are one subject ends, and the other goes on', async (t) => {
  const { port } = await startRedis(t)
  const near = await startRedisHost(t, port, { nats })
  const far = await startRedisHost(t, port, { nats })
  const device = await connectMqtt(t, far.mqttUrl)
  await device.subscribe(['a', 'a/#'])
  await device.client.unsubscribeAsync('a/#')
  const other = await connectNats(t, far.natsUrl)
  // The queue forgets a listener in a later turn; the answer says that all is known that was wanted before.
  await other.subscribe('fence')
  const { nats: publisher } = await connectNats(t, near.natsUrl)
  publisher.publish('a', 'one')
  const [received] = await device.take()
  t.equal(received?.payload.toString(), 'one')
})

t.test('an MQTT responder is one for every node once its SUBACK is there', async (t) => {
  const { port } = await startRedis(t)
  const near = await startRedisHost(t, port, { nats })
  const far = await startRedisHost(t, port, { nats })
  const { nats: requester } = await connectNats(t, near.natsUrl)
  const device = await connectMqtt(t, far.mqttUrl, { protocolVersion: 5 })
  device.client.on('message', (_topic, _payload, { properties }) => { device.client.publish(properties?.responseTopic ?? '', 'pong') })
  for (let i = 0; i < 50; i++) {
    await device.subscribe(`svc/${i}`)
    t.equal((await requester.request(`svc.${i}`, '', { timeout: 5000 })).string(), 'pong')
  }
})

t.test('a node is gone at once for the others when it closes, and so does its broker', async (t) => {
  const { port } = await startRedis(t)
  const near = await startRedisHost(t, port, { nats })
  const far = await startRedisHost(t, port, { nats })
  const { nats: client } = await connectNats(t, near.natsUrl)
  const told = (async () => {
    for await (const status of client.status()) if (status.type === 'update' && (status.deleted?.length ?? 0) > 0) return status.deleted
  })()
  // The client may have connected before the node knew of the other one's address.
  while (!client.info?.connect_urls?.includes(`127.0.0.1:${far.natsPort}`)) await client.flush()
  const began = performance.now()
  await far.gateway.close()
  await new Promise<void>((resolve) => { far.broker.close(resolve) })
  t.same(await told, [`127.0.0.1:${far.natsPort}`])
  // By silence it takes three heartbeats, of a second.
  t.ok(performance.now() - began < 3000)
})

t.test('a client that has come before a node, and not been told, is told with its first PONG', async (t) => {
  const { port } = await startRedis(t)
  const near = await startRedisHost(t, port, { nats })
  const client = await connect(t, near.natsPort, null)
  client.send('CONNECT {"verbose":false,"protocol":1}\r\n')
  const far = await startRedisHost(t, port, { nats })
  while (near.gateway.nodes[0]?.presence.urls.length !== 1) await new Promise((resolve) => { setImmediate(resolve) })
  client.send('PING\r\n')
  await client.expect(new RegExp(`^PONG\\r\\nINFO [^\\n]*"connect_urls":\\["127.0.0.1:${near.natsPort}","127.0.0.1:${far.natsPort}"\\][^\\n]*\\n`))
  client.send('PING\r\n')
  await client.expect('PONG\r\n')
})
