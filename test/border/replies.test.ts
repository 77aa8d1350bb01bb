import type { IClientOptions } from 'mqtt'
import t, { type Test } from 'tap'
import { connect as connectNats, headers, type NatsConnection } from '@nats-io/transport-node'
import { type Broker, createGateway, type Gateway, type GatewayOptions } from '../../lib/index.ts'
import type { Replies } from '../../lib/routing/replies.ts'
import { type Host, startBroker, startHost, versions } from '../helper/brokers.ts'
import { until } from '../helper/links.ts'
import { connectMqtt, type MqttPeer } from '../helper/mqtt.ts'
import { startRedis } from '../helper/processes.ts'
import { connect, type RawClient } from '../helper/raw.ts'
import { startRedisHost } from '../helper/redis-nodes.ts'
import { block, hpub, msg } from './frames.ts'

const rules = { 'devices/+/cmd': 'devices/+/cmd/reply' }

/** What a gateway remembers of requests. */
function repliesOf (gateway: Gateway): Replies {
  const { services: { spaces: { replies } } } = gateway as unknown as { services: { spaces: { replies: Replies | null } } }
  if (replies === null) throw new Error('no rules')
  return replies
}

async function nats (t: Test, url: string): Promise<NatsConnection> {
  const connection = await connectNats({ servers: url, reconnect: false })
  t.teardown(() => connection.close())
  return connection
}

/** A client whose subscriptions are there. */
async function subscriber (t: Test, { natsPort }: { natsPort: number }, subs: string): Promise<RawClient> {
  const client = await connect(t, natsPort)
  client.send(subs)
  await client.fence()
  return client
}

/** An MQTT 3.1.1 device that gets commands; it answers when told to, or each at once. */
async function device (t: Test, host: { mqttUrl: string }, id: string, { answers = false, prefix = '', ...options }: IClientOptions & { answers?: boolean, prefix?: string } = {}): Promise<MqttPeer & { answer: (text: string, qos?: 0 | 1) => Promise<void> }> {
  const peer = await connectMqtt(t, host.mqttUrl, options)
  const answer = (text: string, qos: 0 | 1 = 0): Promise<void> => peer.publish(`${prefix}devices/${id}/cmd/reply`, text, { qos })
  if (answers) peer.client.on('message', (_, payload) => { answer(`${id} did ${String(payload)}`).catch(t.fail) })
  await peer.subscribe(`${prefix}devices/${id}/cmd`)
  return Object.assign(peer, { answer })
}

for (const { name, create } of versions) {
  t.test(`${name}: requests to MQTT 3.1.1 devices are answered in order, and devices do not mix`, async (t) => {
    const host = await startHost(t, { create, nats: { replies: rules } })
    const service = await nats(t, host.natsUrl)
    for (const id of ['1', '2', '3']) await device(t, host, id, { answers: true })
    const jobs = Array.from({ length: 90 }, (_, i) => ({ id: String(i % 3 + 1), text: `job ${i}` }))
    const answers = await Promise.all(jobs.map(async ({ id, text }, i) => (await service.request(`devices.${id}.cmd`, text, { timeout: 60_000, noMux: i % 2 === 0, ...i % 2 === 0 ? { reply: `r.${i}` } : {} })).string()))
    t.strictSame(answers, jobs.map(({ id, text }) => `${id} did ${text}`))
    t.equal(repliesOf(host.gateway).size, 0)
  })
}

t.test('a late answer goes nowhere, others on the answer topic get every one', async (t) => {
  const host = await startHost(t, { nats: { replies: rules, replyTimeout: 1 } })
  const lamp = await device(t, host, '1')
  const client = await connect(t, host.natsPort)
  client.send('SUB inbox.* 1\r\nSUB devices.*.cmd.reply 2\r\nPUB devices.1.cmd inbox.a 2\r\non\r\n')
  const [command] = await lamp.take()
  t.equal(command?.payload.toString(), 'on')
  const began = Date.now()
  await until(() => Date.now() > began + 1)
  await lamp.answer('too late')
  await client.expect(msg('devices.1.cmd.reply', '2', 'too late'))
  host.gateway.update({ replyTimeout: 60_000 })
  client.send('PUB devices.1.cmd inbox.b 3\r\noff\r\n')
  await lamp.take()
  await lamp.answer('in time', 1)
  const header = block('Nmqtt-Pub: 1')
  await client.expect(msg('devices.1.cmd.reply', '2', 'in time', header) + msg('inbox.b', '1', 'in time', header))
  await lamp.answer('unasked')
  await client.expect(msg('devices.1.cmd.reply', '2', 'unasked'))
  t.equal(await client.fence(), '')
  t.equal(repliesOf(host.gateway).size, 0)
})

t.test('what a NATS client publishes on the answer topic is no answer', async (t) => {
  const host = await startHost(t, { nats: { replies: rules } })
  const lamp = await device(t, host, '1')
  const client = await connect(t, host.natsPort)
  client.send('SUB inbox 1\r\nPUB devices.1.cmd inbox 0\r\n\r\nPUB devices.1.cmd.reply 4\r\nfake\r\n')
  t.equal(await client.fence(), '')
  await lamp.answer('real')
  await client.expect(msg('inbox', '1', 'real'))
})

t.test('a request that nobody serves is answered with 503 at once, and nothing stays of it', async (t) => {
  const host = await startHost(t, { nats: { replies: rules } })
  const replies = repliesOf(host.gateway)
  const none = 'HMSG inbox 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n'
  const qos1 = block('Nmqtt-QoS: 1')
  const retain = block('Nmqtt-Retain: true')
  const client = await connect(t, host.natsPort)
  client.send(`SUB inbox 1\r\nPUB devices.1.cmd inbox 0\r\n\r\n${hpub('devices.1.cmd', qos1, 'x', 'inbox')}${hpub('devices.1.cmd', retain, 'x', 'inbox')}`)
  t.equal(await client.fence(), none.repeat(3))
  t.equal(replies.size, 0)
  const service = await connect(t, host.natsPort)
  service.send('SUB devices.*.cmd 1\r\n')
  await service.fence()
  client.send(`PUB devices.1.cmd inbox 0\r\n\r\n${hpub('devices.1.cmd', qos1, 'x', 'inbox')}`)
  t.equal(await client.fence(), '')
  t.equal(replies.size, 0, 'a NATS service alone served it')
  const quiet = await connect(t, host.natsPort, { no_responders: false })
  quiet.send(`SUB inbox 1\r\nUNSUB 1\r\nPUB devices.1.cmd inbox 0\r\n\r\n${hpub('devices.1.cmd', qos1, 'x', 'inbox')}`)
  t.equal(await quiet.fence(), '')
  t.equal(replies.size, 0)
})

t.test('nothing stays of a request that is refused, or cannot be stored', async (t) => {
  const host = await startHost(t, {
    nats: { replies: rules },
    aedes: { authorizePublish: (client, packet, done) => { done(packet.payload.toString() === 'no' ? new Error('no') : null) } }
  })
  const replies = repliesOf(host.gateway)
  await device(t, host, '1')
  const client = await connect(t, host.natsPort)
  const qos1 = block('Nmqtt-QoS: 1')
  const denied = '-ERR \'Permissions Violation for Publish to "devices.1.cmd"\'\r\n'
  client.send(`SUB inbox 1\r\nPUB devices.1.cmd inbox 2\r\nno\r\n${hpub('devices.1.cmd', qos1, 'no', 'inbox')}`)
  t.equal(await client.fence(), denied.repeat(2))
  const { persistence } = host.broker as unknown as { persistence: { storeRetained: () => Promise<void> } }
  persistence.storeRetained = async () => { throw new Error('disk gone') }
  client.send(hpub('devices.1.cmd', block('Nmqtt-QoS: 1', 'Nmqtt-Retain: true'), 'yes', 'inbox'))
  t.equal(await client.fence(), denied)
  t.equal(replies.size, 0)
})

t.test('a device whose session is away answers when it returns', async (t) => {
  const host = await startHost(t, { nats: { replies: rules } })
  const session = { clean: false, clientId: 'lamp' }
  const before = await device(t, host, '1', session)
  await before.client.endAsync()
  const service = await nats(t, host.natsUrl)
  const header = headers()
  header.set('Nmqtt-QoS', '1')
  const answer = service.request('devices.1.cmd', 'on', { headers: header, timeout: 60_000 })
  await service.flush()
  const away = await connect(t, host.natsPort)
  away.send('SUB inbox 1\r\nPUB devices.1.cmd inbox 0\r\n\r\n')
  t.match(await away.fence(), /503/, 'QoS 0 waits for nobody')
  const after = await device(t, host, '1', session)
  t.equal((await after.take())[0]?.payload.toString(), 'on')
  await after.answer('done')
  t.equal((await answer).string(), 'done')
  t.equal(repliesOf(host.gateway).size, 0)
})

t.test('authorizeForward sees the answer under the name that the requester gets it by', async (t) => {
  const topics: string[] = []
  const host = await startHost(t, {
    nats: { replies: rules },
    aedes: {
      authorizeForward: (client, packet) => {
        if ((client as unknown as { protocol?: string }).protocol === 'nats') topics.push(packet.topic)
        return packet
      }
    }
  })
  const lamp = await device(t, host, '1')
  const client = await connect(t, host.natsPort)
  client.send('SUB inbox.a 1\r\nPUB devices.1.cmd inbox.a 0\r\n\r\n')
  await client.fence()
  await lamp.answer('done')
  await client.expect(msg('inbox.a', '1', 'done'))
  t.strictSame(topics, ['inbox/a'])
})

/** Users of a gateway with rules. What `all` gets from `devices.1.cmd.reply` is a fence behind what the requester gets. */
function users (...publish: string[]): GatewayOptions {
  const permissions = { publish: ['devices.*.cmd', 'open.*', ...publish], subscribe: ['_INBOX.>', 'admin.*'] }
  return { authorization: { users: [{ user: 'one', pass: 'pw', permissions }, { user: 'all', pass: 'pw' }] } }
}

for (const { name, create } of versions) {
  t.test(`${name}: an answer goes where the requester may publish, else to the requester alone`, async (t) => {
    const host = await startHost(t, { create, nats: { replies: rules, ...users() } })
    const lamp = await device(t, host, '1')
    const all = await connect(t, host.natsPort, { user: 'all', pass: 'pw' })
    all.send('SUB admin.* 1\r\nSUB open.* 2\r\nSUB _INBOX.> 3\r\nSUB devices.1.cmd.reply 4\r\n')
    await all.fence()
    const one = await connect(t, host.natsPort, { user: 'one', pass: 'pw' })
    const ask = async (reply: string): Promise<void> => {
      one.send(`PUB devices.1.cmd ${reply} 0\r\n\r\n`)
      await lamp.take()
    }
    const answered = async (text: string, wanted = ''): Promise<void> => {
      await lamp.answer(text)
      await all.expect(msg('devices.1.cmd.reply', '4', text))
      t.equal(await all.fence(), wanted)
    }
    await ask('admin.shutdown')
    await answered('to nobody')
    one.send('SUB _INBOX.a 1\r\n')
    await ask('_INBOX.a')
    await answered('to its inbox')
    await one.expect(msg('_INBOX.a', '1', 'to its inbox'))
    one.send('SUB admin.shutdown 2\r\nSUB admin.* q 3\r\nSUB admin.* q 4\r\n')
    await ask('admin.shutdown')
    await answered('to itself')
    await one.expect(msg('admin.shutdown', '2', 'to itself'))
    await one.expect(/MSG admin.shutdown [34] 9\r\nto itself\r\n/)
    t.equal(await one.fence(), '', 'one member of a queue group')
    await ask('open.a')
    await answered('to all', msg('open.a', '2', 'to all'))

    await ask('admin.shutdown')
    await ask('admin.shutdown')
    host.gateway.update(users('admin.shutdown'))
    await answered('now it may', msg('admin.shutdown', '1', 'now it may'))
    host.gateway.update(users())
    await answered('now it may not')
    for (const reply of ['admin.shutdown', 'open.b']) await ask(reply)
    one.socket.end()
    await until(() => host.gateway.clients.size === 1)
    await answered('left')
    await answered('left behind', msg('open.b', '2', 'left behind'))

    const service = await connectNats({ servers: host.natsUrl, user: 'one', pass: 'pw', reconnect: false })
    t.teardown(() => service.close())
    const request = service.request('devices.1.cmd', 'x', { timeout: 60_000 })
    await lamp.take()
    await lamp.answer('done')
    t.equal((await request).string(), 'done')
  })

  t.test(`${name}: where authorizePublish is the host's, an answer goes to the requester alone`, async (t) => {
    const asked: string[] = []
    const host = await startHost(t, { create, nats: { replies: rules } })
    host.broker.authorizePublish = (client, packet, done) => {
      if ((client as unknown as { protocol?: string }).protocol === 'nats') asked.push(packet.topic)
      setImmediate(done, packet.topic.startsWith('admin/') ? new Error('no') : null)
    }
    const lamp = await device(t, host, '1')
    const other = await subscriber(t, host, 'SUB admin.* 1\r\nSUB inbox 2\r\nSUB devices.1.cmd.reply 3\r\n')
    const client = await connect(t, host.natsPort)
    client.send('SUB inbox 1\r\n')
    for (const reply of ['admin.shutdown', 'inbox']) {
      client.send(`PUB devices.1.cmd ${reply} 0\r\n\r\n`)
      await lamp.take()
      await lamp.answer(reply)
      await other.expect(msg('devices.1.cmd.reply', '3', reply))
      t.equal(await other.fence(), '')
    }
    t.equal(await client.fence(), msg('inbox', '1', 'inbox'))
    t.strictSame(asked, ['devices/1/cmd', 'devices/1/cmd'])
  })

  t.test(`${name}: what nobody may publish to gets no answer but the requester's own`, async (t) => {
    const host = await startHost(t, { create, nats: { replies: rules } })
    const lamp = await device(t, host, '1')
    const other = await subscriber(t, host, 'SUB $SYS.x 1\r\nSUB devices.1.cmd.reply 3\r\n')
    const client = await connect(t, host.natsPort)
    client.send('SUB $SYS.x 1\r\nPUB devices.1.cmd $SYS.x 0\r\n\r\n')
    await lamp.take()
    await lamp.answer('a')
    await other.expect(msg('devices.1.cmd.reply', '3', 'a'))
    t.equal(await other.fence(), '')
    t.equal(await client.fence(), msg('$SYS.x', '1', 'a'))
  })
}

t.test('tenants have rules and devices of their own', async (t) => {
  // eslint-disable-next-line no-template-curly-in-string -- that is how it is written
  const host = await startHost(t, { nats: { replies: rules, mountpoint: '${username}/' }, aedes: { authenticate: (_client, _user, _pass, done) => { done(null, true) } } })
  const clients = await Promise.all(['anna', 'bob'].map(async (user) => {
    await device(t, host, '1', { answers: true, prefix: `${user}/` })
    const service = await connectNats({ servers: host.natsUrl, user, pass: '', reconnect: false })
    t.teardown(() => service.close())
    return { user, service }
  }))
  const anna = await connectMqtt(t, host.mqttUrl)
  const answers = await Promise.all(clients.map(async ({ user, service }) => (await service.request('devices.1.cmd', `for ${user}`, { timeout: 60_000 })).string()))
  t.strictSame(answers, ['1 did for anna', '1 did for bob'])
  await anna.publish('anna/devices/1/cmd/reply', 'unasked')
  t.equal(repliesOf(host.gateway).size, 0)
})

t.test('subjects that stay NATS-only may be replied to', async (t) => {
  const host = await startHost(t, { nats: { replies: rules, mapping: { 'devices.': 'devices/' }, mappingOnly: true } })
  await device(t, host, '1', { answers: true })
  const service = await nats(t, host.natsUrl)
  t.equal((await service.request('devices.1.cmd', 'x', { timeout: 60_000 })).string(), '1 did x')
})

t.test('requesters on several nodes get their own answers', async (t) => {
  const { port } = await startRedis(t)
  const start = (): Promise<Host> => startRedisHost(t, port, { nats: { replies: rules } })
  const hosts = [await start(), await start()] as const
  const lamp = await device(t, hosts[0], '1')
  const clients = await Promise.all(hosts.map((host) => connect(t, host.natsPort)))
  for (const [i, client] of clients.entries()) {
    client.send(`SUB inbox${i}.* 1\r\n`)
    await client.fence()
  }
  for (let i = 0; i < 4; i++) {
    clients[i % 2]?.send(`PUB devices.1.cmd inbox${i % 2}.${i} 1\r\n${i}\r\n`)
    t.equal((await lamp.take())[0]?.payload.toString(), String(i))
    // On its way to the other nodes when the device has it: they are to have heard of it, too.
    await until(() => hosts.every(({ gateway }) => repliesOf(gateway).size === i + 1))
  }
  for (let i = 0; i < 4; i++) await lamp.answer(`did ${i}`)
  for (let i = 0; i < 4; i++) await clients[i % 2]?.expect(msg(`inbox${i % 2}.${i}`, '1', `did ${i}`))
  await until(() => hosts.every(({ gateway }) => repliesOf(gateway).size === 0))
})

t.test('wrong rules are refused at the start', async (t) => {
  const { broker } = await startBroker(t)
  const wrong: unknown[] = [
    'x', [], { 'a/#': 'b' }, { a: 'b/#' }, { '': 'b' }, { a: '' }, { a: 1 }, { 'a/+b': 'c' }, { 'a/+': 'b/+/+' }, { a: '+' }, { 'a\0': 'b' }
  ]
  for (const replies of wrong) {
    await t.rejects(createGateway(broker as Broker, { host: '127.0.0.1', port: 0, replies } as GatewayOptions), { code: 'NATS_ERR_OPTION', message: /^option 'replies' is .*: allowed is an object of topic filters without #/ }, JSON.stringify(replies))
  }
  for (const replyTimeout of [0, 0.5, '1s']) {
    await t.rejects(createGateway(broker as Broker, { host: '127.0.0.1', port: 0, replyTimeout } as GatewayOptions), { code: 'NATS_ERR_OPTION', message: /^option 'replyTimeout'/ })
  }
})
