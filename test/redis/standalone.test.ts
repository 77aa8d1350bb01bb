import t from 'tap'
import { Relay } from '../durable/redis-rig.ts'
import { connectMqtt } from '../helper/mqtt.ts'
import { freePort, Process, scratch, startRedis } from '../helper/processes.ts'
import { connect } from '../helper/raw.ts'
import { runCommand, startServer } from '../helper/server.ts'

t.test('two servers on one Redis are one, and survive that it goes away', async (t) => {
  const redis = await startRedis(t)
  const args = ['--redis', `${redis.url}/1`, '--id', 'node', '-m', '-1']
  const one = await startServer(t, args)
  const two = await startServer(t, args)
  const near = await connect(t, one.natsPort)
  const far = await connect(t, two.natsPort)
  const mqtt = await connectMqtt(t, two.mqttUrl)
  await mqtt.subscribe('a/#')
  far.send('SUB a.> 1\r\nSUB constructor 2\r\nSUB __proto__ 3\r\n')
  await far.fence()
  near.send('PUB a.b 2\r\nhi\r\nPUB constructor 0\r\n\r\nPUB __proto__ 0\r\n\r\n')
  await far.expect('MSG a.b 1 2\r\nhi\r\nMSG constructor 2 0\r\n\r\nMSG __proto__ 3 0\r\n\r\n')
  t.match(await mqtt.take(), [{ topic: 'a/b', payload: Buffer.from('hi') }])
  const names = await connectMqtt(t, one.mqttUrl)
  for (const topic of ['constructor', '__proto__', 'toString']) {
    await names.subscribe(topic)
    await names.publish(topic, 'x')
    t.equal((await names.take())[0]?.topic, topic)
  }
  // MQTT clients may not deafen anybody either, with filters that Redis would read as globs.
  for (const [first, second] of [['foo*', 'foo/#'], ['s[1]/+', 's1/+'], ['bar/#', 'bar*']] as const) {
    const early = await connectMqtt(t, two.mqttUrl)
    const late = await connectMqtt(t, two.mqttUrl)
    await early.subscribe(first)
    await late.subscribe(second)
    for (const [peer, filter] of [[early, first], [late, second]] as const) {
      const topic = filter.replace('/#', '/x').replace('/+', '/y')
      await names.publish(topic, 'x')
      t.equal((await peer.take())[0]?.topic, topic, filter)
      t.strictSame(peer.received, [])
    }
  }

  const health = async (): Promise<{ status: number, body: { error?: string } }> => {
    const port = /Starting http monitor on 127\.0\.0\.1:(\d+)/.exec(one.process.output)?.[1]
    const response = await fetch(`http://127.0.0.1:${port}/healthz`)
    return { status: response.status, body: await response.json() as object }
  }
  t.equal((await health()).status, 200)
  const routez = await fetch(`http://127.0.0.1:${/Starting http monitor on 127\.0\.0\.1:(\d+)/.exec(one.process.output)?.[1]}/routez`)
  t.match(await routez.json(), { num_routes: 1, routes: [{ alive: true, lost_msgs: 0, subscriptions: 3 }] })
  await redis.process.stop()
  await one.process.until(/\[ERR\] Redis at 127\.0\.0\.1:\d+\/1 is away, trying again/)
  const sick = await health()
  t.equal(sick.status, 503)
  t.match(sick.body, { status: 'unavailable', status_code: 503, error: /^Redis at 127\.0\.0\.1:\d+\/1: / })
  // Addresses of the other node may have come meanwhile.
  await near.fence()
  // What is local goes on.
  near.send('SUB local 1\r\nPUB local 1\r\nx\r\n')
  await near.expect('MSG local 1 1\r\nx\r\n')
  const again = new Process(t, 'redis-server', ['--port', String(redis.port), '--bind', '127.0.0.1', '--save', '', '--dir', scratch(t)])
  await again.until(/Ready to accept connections/)
  for (const server of [one, two]) await server.process.until(/\[INF\] Redis at 127\.0\.0\.1:\d+\/1 is back/)
  await one.process.until(/the store is back/)
  // Nodes hear each other again with the next heartbeat.
  while ((await health()).status !== 200) await near.fence()
  t.strictSame((await health()).body, { status: 'ok' })
  t.equal(await near.fence(), '', 'the answer to the SUB waited for Redis')
  near.send('PUB a.c 2\r\nho\r\n')
  await far.expect(/[^]*MSG a\.c 1 2\r\nho\r\n/)
  await mqtt.take()
  for (const line of [/Redis at \S+ is away/g, /durable subscriptions: the store is away/g]) t.equal(one.process.output.match(line)?.length, 1, 'said once')
  t.equal(await one.process.stop(), 0)
  t.equal(await two.process.stop('SIGINT'), 0)
})

t.test('a server without its Redis does not start', async (t) => {
  const server = runCommand(t, ['-a', '127.0.0.1', '-p', '-1', '--mqtt-port', '-1', '--redis', `redis://user:secret@127.0.0.1:${await freePort()}`])
  t.equal(await server.exit(), 1)
  t.match(server.output, /\[FTL\] cannot reach Redis at 127\.0\.0\.1:\d+: .*ECONNREFUSED/)
  t.notMatch(server.output, /Listening|secret/)
})

t.test('a server stops also when its Redis is away', async (t) => {
  const redis = await startRedis(t)
  const server = await startServer(t, ['--redis', redis.url])
  const client = await connect(t, server.natsPort)
  client.send('SUB a 1\r\n')
  await client.fence()
  await redis.process.stop('SIGKILL')
  await server.process.until(/is away/)
  t.equal(await server.process.stop('SIGTERM'), 0)
  t.match(server.process.output, /is away/)
})

t.test('a server stops quietly when its Redis ends at the same time', async (t) => {
  const redis = await startRedis(t)
  const relay = await new Relay().start(t, redis.port)
  const server = await startServer(t, ['--redis', relay.url])
  relay.cuts = /quit/i
  t.equal(await server.process.stop('SIGTERM'), 0)
  t.notMatch(server.process.output, /Error/)
})
