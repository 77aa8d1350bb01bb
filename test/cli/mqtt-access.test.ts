import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { hashSync } from 'bcryptjs'
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt'
import mqttPacket from 'mqtt-packet'
import t from 'tap'
import { asHost } from '../../lib/broker/host.ts'
import { HostLink } from '../../lib/broker/link.ts'
import { readConfig } from '../../lib/cli/config.ts'
import { createHostBroker } from '../../lib/cli/host-broker.ts'
import { MqttAccess, noMqttAccess } from '../../lib/cli/mqtt-access.ts'
import { createGateway } from '../../lib/gateway.ts'
import type { Logger } from '../../lib/options.ts'
import { Chain, second } from '../auth/jwts.ts'
import { connectMqtt, MqttPeer } from '../helper/mqtt.ts'
import { Process, scratch } from '../helper/processes.ts'
import { connect } from '../helper/raw.ts'
import { startServer } from '../helper/server.ts'
import { startHere } from '../helper/standalone.ts'

// MQTT clients pass the same authorization as NATS clients; where nats-server has MQTT too, it comes to the same.

type Tap = Parameters<typeof scratch>[0]

interface Server {
  readonly natsPort: number
  readonly mqttUrl: string
  /** What it has logged. */
  log (): string
  /** Another configuration, by SIGHUP where it is a process. */
  reload (config: string): Promise<void>
}

function urlOf (log: string): string {
  return `mqtt://127.0.0.1:${/Listening for MQTT clients on mqtt:[^\n]*:(\d+)/.exec(log)?.[1]}`
}

async function startOurs (t: Tap, config: string): Promise<Server> {
  const { natsPort, log, reload } = await startHere(t, config)
  return { natsPort, mqttUrl: urlOf(log()), log, reload: async (next) => { reload(next) } }
}

/** A server in a process of its own. */
async function startProcess (t: Tap, config: string, launch: (file: string) => Promise<Process>): Promise<Server> {
  const folder = scratch(t)
  const file = path.join(folder, 'nats.conf')
  // nats-server wants both for MQTT.
  const write = (text: string): void => { writeFileSync(file, `server_name: s, jetstream { store_dir: "${folder}" }\n${text}`) }
  write(config)
  const process = await launch(file)
  return {
    natsPort: 0,
    mqttUrl: urlOf(process.output),
    log: () => process.output,
    reload: async (next) => {
      process.output = ''
      write(next)
      process.child.kill('SIGHUP')
      await process.until(/Reloaded server configuration|Failed to reload[^\n]*\n/)
      if (process.output.includes('Failed to reload')) throw new Error(process.output)
    }
  }
}

async function startTheirs (t: Tap, config: string): Promise<Server> {
  return await startProcess(t, config, async (file) => {
    const server = new Process(t, 'nats-server', ['-a', '127.0.0.1', '-p', '-1', '-c', file])
    await server.until(/Server is ready/)
    return server
  })
}

const servers = { 'aedes-nats': startOurs, 'nats-server': startTheirs }

/** Of CONNACK; 0 is welcome. */
async function codeOf (url: string, options: IClientOptions): Promise<number> {
  const client = mqtt.connect(url, { reconnectPeriod: 0, protocolVersion: 4, ...options })
  try {
    return await new Promise<number>((resolve, reject) => {
      client.once('connect', () => { resolve(0) })
      client.once('error', (error) => { resolve((error as { code?: number }).code ?? -1) })
      client.once('close', () => { reject(new Error('closed without CONNACK')) })
    })
  } finally {
    await client.endAsync(true)
  }
}

async function event (client: MqttClient, name: 'close' | 'connect'): Promise<void> {
  await new Promise<void>((resolve) => { client.once(name, () => { resolve() }) })
}

/** What SUBACK grants. */
async function grantOf (client: MqttClient, filter: string, qos: 0 | 1 = 1): Promise<number> {
  return await new Promise((resolve, reject) => {
    // mqtt.js takes a refusal for an error, and shows the packet all the same.
    client.subscribe(filter, { qos }, (error, _granted, packet) => {
      if (packet === undefined) reject(error ?? new Error('no SUBACK'))
      else resolve(packet.granted[0] as number)
    })
  })
}

const mqttOn = 'mqtt { port: -1, host: "127.0.0.1" }'
const user = (username: string, password = 'p'): IClientOptions => ({ username, password })

for (const [name, launch] of Object.entries(servers)) {
  t.test(`${name}: who may connect`, async (t) => {
    const hash = hashSync('p', 4)
    const tables: [string, [string, IClientOptions, number][]][] = [
      [`authorization { users [ {user: a, password: p}, {user: b, password: "${hash}"}, {user: n, password: p, allowed_connection_types: [STANDARD, WEBSOCKET]}, {user: m, password: p, allowed_connection_types: [MQTT]} ] }\n${mqttOn}`, [
        ['the right password', user('a'), 0],
        ['a wrong password', user('a', 'q'), 5],
        ['no password', { username: 'a' }, 5],
        ['the right one to a bcrypt hash', user('b'), 0],
        ['a wrong one to a bcrypt hash', user('b', 'q'), 5],
        ['the hash itself', user('b', hash), 5],
        ['nobody', {}, 5],
        ['a user that there is not', user('c'), 5],
        ['a name of Object.prototype', user('__proto__'), 5],
        ['a user for other connections', user('n'), 5],
        ['a user for MQTT', user('m'), 0]
      ]],
      [`authorization { user: a, password: p }\n${mqttOn}`, [['the single user', user('a'), 0], ['another', user('b'), 5], ['nobody', {}, 5]]],
      [`authorization { token: T }\n${mqttOn}`, [['the token as password', user('any', 'T'), 0], ['a wrong token', user('any', 't'), 5], ['nobody', {}, 5]]],
      [`authorization { users [ {user: a, password: p} ] }\nno_auth_user: a\n${mqttOn}`, [['nobody, who is somebody', {}, 0], ['a wrong password', user('a', 'q'), 5]]],
      ['authorization { users [ {user: a, password: p} ] }\nmqtt { port: -1, host: "127.0.0.1", no_auth_user: a }', [['nobody, who is somebody for MQTT', {}, 0], ['a user', user('a'), 0], ['a wrong password', user('a', 'q'), 5]]],
      ['authorization { user: a, password: p }\nmqtt { port: -1, host: "127.0.0.1", authorization { user: m, password: q } }', [['the user of NATS', user('a'), 5], ['the user of MQTT', user('m', 'q'), 0]]],
      ['mqtt { port: -1, host: "127.0.0.1", authorization { token: T } }', [['the token of MQTT', user('any', 'T'), 0], ['nobody', {}, 5]]],
      [mqttOn, [['nobody', {}, 0], ['anybody', user('x'), 0]]]
    ]
    for (const [config, rows] of tables) {
      const { mqttUrl } = await launch(t, config)
      for (const [who, options, code] of rows) t.equal(await codeOf(mqttUrl, options), code, `${who}: ${config}`)
    }
  })

  t.test(`${name}: what they may publish and subscribe to`, async (t) => {
    const { mqttUrl } = await launch(t, `authorization { users [
      {user: all, password: p}
      {user: a, password: p, permissions: {publish: {allow: ["out.>", "v1//0.x"], deny: "out.secret.>"}, subscribe: {allow: ["in.>", "in", "plus.*", "deep.>"], deny: ["in.secret", "in.deep.>"]}}}
    ] }\n${mqttOn}`)
    const [all, a] = [await connectMqtt(t, mqttUrl, user('all')), await connectMqtt(t, mqttUrl, user('a'))]
    const grants: [string, number][] = [
      ['in', 0], ['in/x', 0], ['in/secret', 128], ['in/+', 0], ['in/#', 0], ['#', 128], ['plus/+', 0], ['plus/x/y', 128], ['other', 128],
      // It would match deep, too.
      ['deep/#', 128], ['in/deep/x', 128]
    ]
    for (const [filter, code] of grants) t.equal(await grantOf(a.client, filter, 0), code, filter)
    for (const filter of ['in/x', 'in/+', 'in', 'plus/+']) await a.client.unsubscribeAsync(filter)
    for (const topic of ['in/secret', 'in/deep/x', 'other', 'in', 'in/x', 'in/end']) await all.publish(topic, topic)
    t.strictSame((await a.takeUntil('in/end')).map(({ topic }) => topic), ['in', 'in/x'], 'what is denied is kept out of wider subscriptions')

    // nats-server 2.9 has neither QoS 2 nor topics with dots.
    const isOurs = name === 'aedes-nats'
    const dotted = isOurs ? ['v1.0/x'] : []
    await all.subscribe(['out/#', 'other/#', ...dotted])
    for (const qos of isOurs ? [0, 1, 2] : [0, 1]) {
      for (const topic of ['other/x', 'out/secret/x', 'out/x', ...dotted]) await a.publish(topic, `qos ${qos}`, { qos })
    }
    await a.publish('out/end', '')
    t.strictSame(new Set((await all.takeUntil('out/end')).map(({ topic }) => topic)), new Set(['out/x', ...dotted]), 'denied publishes go nowhere, and the connection stays')
    t.ok(a.client.connected)
    await a.publish('out/x', '', { qos: 1, retain: true })
    await a.publish('other/x', 'kept', { qos: 1, retain: true })
    await all.client.unsubscribeAsync('other/#')
    await all.subscribe('other/x')
    await a.publish('out/end', '')
    t.strictSame((await all.takeUntil('out/end')).filter(({ topic }) => topic.startsWith('other')), [], 'nor are they retained')
  })

  t.test(`${name}: the JWT of a bearer is its password`, async (t) => {
    const limits = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1, mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 }
    const [chain, system] = [await Chain.create({ limits } as object), await Chain.create()]
    const systemKey = system.account.getPublicKey()
    const { mqttUrl } = await launch(t, `operator: ${chain.operatorJwt}\nresolver: MEMORY\nsystem_account: ${systemKey}
      resolver_preload { ${chain.account.getPublicKey()}: ${chain.accountJwt}, ${systemKey}: ${await system.encodeAccount({}, {}, chain.operator)} }\n${mqttOn}`)
    const bearer = await chain.encodeUser({ bearer_token: true, pub: { allow: ['out.>'], deny: [] } })
    t.equal(await codeOf(mqttUrl, user('any', await chain.encodeUser())), 5, 'nobody can sign')
    t.equal(await codeOf(mqttUrl, user('any', await chain.encodeUser({ bearer_token: true, allowed_connection_types: ['STANDARD'] } as object))), 5)
    t.equal(await codeOf(mqttUrl, user('any', 'p')), 5)
    t.equal(await codeOf(mqttUrl, user('any', await chain.encodeUser({ bearer_token: true, allowed_connection_types: ['MQTT'] } as object))), 0)
    const [device, reader] = [await connectMqtt(t, mqttUrl, user('any', bearer)), await connectMqtt(t, mqttUrl, user('any', bearer))]
    await reader.subscribe(['in/x', 'out/x'])
    await device.publish('in/x', '')
    await device.publish('out/x', '')
    t.strictSame((await reader.take()).map(({ topic }) => topic), ['out/x'])
    const short = await connectMqtt(t, mqttUrl, user('any', await chain.encodeUser({ bearer_token: true }, { exp: second() + 2 })))
    await event(short.client, 'close')
  })
}

const processes = {
  'aedes-nats': async (t: Tap, config: string) => await startProcess(t, config, async (file) => (await startServer(t, ['-c', file])).process),
  'nats-server': startTheirs
}

for (const [name, launch] of Object.entries(processes)) {
  t.test(`${name}: SIGHUP holds for them`, async (t) => {
    const of = (...list: string[]): string => `authorization { users [ {user: stays, password: p}, ${list.join(', ')} ] }\n${mqttOn}`
    const { mqttUrl, reload } = await launch(t, of('{user: goes, password: p}', '{user: renews, password: p}', '{user: a, password: p}'))
    const [stays, goes, renews, a] = await Promise.all(['stays', 'goes', 'renews', 'a'].map((each) => connectMqtt(t, mqttUrl, user(each)))) as [MqttPeer, MqttPeer, MqttPeer, MqttPeer]
    await stays.subscribe(['in/x', 'out/x'])
    await a.subscribe(['in/x', 'lost/x'], { qos: 0 })
    const closed = Promise.all([event(goes.client, 'close'), event(renews.client, 'close')])
    await reload(of('{user: renews, password: q}', '{user: a, password: p, permissions: {publish: "out.>", subscribe: "in.>"}}'))
    await closed
    t.ok(stays.client.connected && a.client.connected)
    t.strictSame(await Promise.all([user('goes'), user('renews'), user('renews', 'q')].map((options) => codeOf(mqttUrl, options))), [5, 5, 0])
    await a.publish('in/x', 'denied')
    await a.publish('out/x', 'allowed')
    t.strictSame((await stays.take()).map(({ topic }) => topic), ['out/x'])
    for (const topic of ['lost/x', 'in/x']) await stays.publish(topic, '')
    t.strictSame((await a.take()).map(({ topic }) => topic), ['in/x'])
    await reload(of('{user: a, password: p}'))
    for (const topic of ['lost/x', 'in/x']) await stays.publish(topic, '')
    t.strictSame((await a.take()).map(({ topic }) => topic), ['in/x'], 'what was taken away does not come back with the permission')
  })
}

t.test('an empty user name is refused as such', async (t) => {
  for (const launch of Object.values(servers)) {
    const { mqttUrl } = await launch(t, `authorization { users [ {user: a, password: p} ] }\n${mqttOn}`)
    const socket = net.connect(Number(new URL(mqttUrl).port), '127.0.0.1')
    t.teardown(() => { socket.destroy() })
    const packet = mqttPacket.generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId: 'c', clean: true, keepalive: 0, username: 'x', password: Buffer.from('p') })
    const at = packet.indexOf(Buffer.from([0, 1, 0x78]))
    socket.write(Buffer.concat([packet.subarray(0, 1), Buffer.from([packet[1] as number - 1]), packet.subarray(2, at), Buffer.from([0, 0]), packet.subarray(at + 3)]))
    const [answer] = await once(socket, 'data') as [Buffer]
    t.strictSame([...answer], [0x20, 2, 0, 4])
  }
})

const silent: Logger = { trace () {}, debug () {}, info () {}, warn () {}, error () {} }

const five: IClientOptions = { protocolVersion: 5 }

t.test('a login whose password is being compared is judged by the users that there are then', async (t) => {
  const hash = hashSync('p', 9)
  const of = (...names: string[]): string => `authorization { users [ ${names.map((each) => `{user: ${each}, password: "${hash}"}`).join(', ')} ] }\n${mqttOn}`
  const { mqttUrl, reload } = await startOurs(t, of('a', 'b', 'c', 'd'))
  const codes = ['a', 'b', 'c', 'd'].map((each) => codeOf(mqttUrl, user(each)))
  // They are compared one by one.
  t.equal(await codes[0], 0)
  await reload(of('a', 'c'))
  t.strictSame(await Promise.all(codes.slice(2)), [0, 5])
})

t.test('MQTT 5 clients are told', async (t) => {
  const of = (permissions: string): string => `authorization { users [ {user: all, password: p}, {user: a, password: p, permissions: {${permissions}}}, {user: goes, password: p} ] }\n${mqttOn}`
  const server = await startOurs(t, of('publish: "out.>", subscribe: "in.>"'))
  const { mqttUrl } = server
  t.equal(await codeOf(mqttUrl, { ...five, ...user('a', 'q') }), 0x87)
  t.equal(await codeOf(mqttUrl, five), 0x87)
  const [a, goes] = [await connectMqtt(t, mqttUrl, { ...five, ...user('a') }), await connectMqtt(t, mqttUrl, { ...five, ...user('goes') })]
  for (const qos of [1, 2]) await t.rejects(a.publish('other', '', { qos }), { code: 0x87 })
  await a.publish('other', '', { qos: 0 })
  await a.publish('out/x', '', { qos: 2 })
  t.equal(await grantOf(a.client, 'other'), 0x87)
  t.equal(await grantOf(a.client, 'in/x'), 1)
  const told = new Promise((resolve) => { goes.client.once('disconnect', resolve) })
  await server.reload(`authorization { users [ {user: a, password: p} ] }\n${mqttOn}`)
  t.match(await told, { reasonCode: 0x87 })
  t.match(server.log(), /\[WRN\] 127\.0\.0\.1:?\d*[^\n]*there is no user "goes"/)
})

t.test('a device answers what it was asked', async (t) => {
  const { mqttUrl, natsPort } = await startOurs(t, `authorization { users [ {user: service, password: p}, {user: device, password: p, permissions: {subscribe: "cmd.>", allow_responses: true}} ] }\n${mqttOn}`)
  const device = await connectMqtt(t, mqttUrl, { ...five, ...user('device') })
  await device.subscribe('cmd/x')
  const service = await connect(t, natsPort, { user: 'service', pass: 'p' })
  service.send('SUB answers.> 1\r\nPUB cmd.x answers.1 0\r\n\r\n')
  const [request] = await device.take()
  t.equal(request?.properties?.['responseTopic'], 'answers/1')
  await device.publish('answers/1', 'yes')
  await t.rejects(device.publish('answers/1', 'twice'), { code: 0x87 })
  await t.rejects(device.publish('answers/2', 'no'), { code: 0x87 })
  await service.expect(/H?MSG answers\.1 1 [^]*yes\r\n/)
  t.equal(await service.fence(), '')
})

t.test('nothing that is denied is stored for a session, and what was stored before is not delivered', async (t) => {
  const of = (permissions: string): string => `authorization { users [ {user: all, password: p}, {user: a, password: p, ${permissions}} ] }\n${mqttOn}`
  const { mqttUrl, reload } = await startOurs(t, of('permissions: {subscribe: {allow: "in.>"}}'))
  const all = await connectMqtt(t, mqttUrl, user('all'))
  const session = { clientId: 'session', clean: false, ...user('a') }
  const come = async (): Promise<MqttPeer> => {
    const client = mqtt.connect(mqttUrl, { reconnectPeriod: 0, protocolVersion: 4, ...session })
    const peer = new MqttPeer(client)
    t.teardown(() => client.endAsync(true))
    await event(client, 'connect')
    return peer
  }
  let a = await come()
  const granted = await new Promise<readonly number[]>((resolve) => { a.client.subscribe(['other/x', 'in/x'], { qos: 1 }, (_error, _granted, packet) => { resolve(packet?.granted as number[]) }) })
  t.strictSame(granted, [128, 1])
  await a.client.endAsync()
  await reload(of('permissions: {}'))
  for (const topic of ['other/x', 'in/x']) await all.publish(topic, 'while away')
  a = await come()
  t.strictSame((await a.take()).map(({ topic }) => topic), ['in/x'], 'the denied one was not stored with the other')

  await a.subscribe('other/x')
  await a.client.endAsync()
  for (const topic of ['other/x', 'in/x']) await all.publish(topic, 'stored')
  await reload(of('permissions: {subscribe: {allow: "in.>"}}'))
  a = await come()
  t.strictSame((await a.take()).map(({ topic }) => topic), ['in/x'], 'the subscription is not restored, and what it stored is dropped')
  for (const topic of ['other/x', 'in/x']) await all.publish(topic, 'live')
  t.strictSame((await a.take()).map(({ topic }) => topic), ['in/x'])
})

t.test('a will goes where its client may publish', async (t) => {
  const { mqttUrl, log } = await startOurs(t, `authorization { users [ {user: all, password: p}, {user: a, password: p, permissions: {publish: "out.>"}} ] }\n${mqttOn}`)
  const all = await connectMqtt(t, mqttUrl, user('all'))
  await all.subscribe('#')
  for (const topic of ['other', 'out/will']) {
    const client = await connectMqtt(t, mqttUrl, { ...user('a'), will: { topic, payload: Buffer.from('gone'), qos: 1, retain: false } })
    client.client.stream.destroy()
  }
  t.strictSame((await all.take()).map(({ topic }) => topic), ['out/will'])
  t.match(log(), /Publish Violation - User "a", Topic "other"/)
})

t.test('a will that may not be published is not stored, where another node would find it', async (t) => {
  const broker = await createHostBroker({ id: '', redis: null, log: silent })
  const access = new MqttAccess(broker, silent)
  const gateway = await createGateway(broker, { host: '127.0.0.1', port: 0, authorization: { users: [{ user: 'a', pass: 'p', permissions: { publish: 'out.>' } }] } })
  t.teardown(() => gateway.close())
  access.begin(gateway, noMqttAccess)
  const listener = net.createServer((socket) => { broker.handle(socket) })
  await new Promise<void>((resolve) => { listener.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => {
    listener.close()
    broker.close()
  })
  const { persistence } = broker as unknown as { persistence: { getWill (client: object): Promise<{ topic: string } | undefined> } }
  const stored: unknown[] = []
  for (const topic of ['other', 'out/will']) {
    const { client } = await connectMqtt(t, `mqtt://127.0.0.1:${(listener.address() as net.AddressInfo).port}`, { ...user('a'), clientId: topic, will: { topic, payload: Buffer.from('gone'), qos: 1, retain: false } })
    stored.push((await persistence.getWill({ id: topic }))?.topic)
    await client.endAsync()
  }
  t.strictSame(stored, [undefined, 'out/will'])
})

t.test('NATS clients are not asked by the hooks of MQTT', async (t) => {
  const broker = await createHostBroker({ id: '', redis: null, log: silent })
  t.teardown(() => { broker.close() })
  t.ok(new MqttAccess(broker, silent))
  for (const confirm of [false, true]) {
    const link = new HostLink(asHost(broker), { confirm })
    t.match(link, { authenticatesByDefault: true, publishesByDefault: true, subscribesByDefault: true, forwardsByDefault: true })
    link.close()
  }
})

t.test('limits of a JWT hold for MQTT', async (t) => {
  const chain = await Chain.create({ limits: { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: 2, leaf: -1 } })
  const { mqttUrl } = await startOurs(t, `operator: ${chain.operatorJwt}\nresolver: MEMORY\nresolver_preload { ${chain.account.getPublicKey()}: ${chain.accountJwt} }\n${mqttOn}`)
  const jwt = await chain.encodeUser({ bearer_token: true, subs: 2, payload: 10 })
  const one = await connectMqtt(t, mqttUrl, { ...five, ...user('any', jwt) })
  t.strictSame([await grantOf(one.client, 'a'), await grantOf(one.client, 'b'), await grantOf(one.client, 'c'), await grantOf(one.client, 'a')], [1, 1, 0x87, 1])
  await one.publish('x', '0123456789')
  await t.rejects(one.publish('x', '01234567890'), { code: 0x87 })
  const two = await connectMqtt(t, mqttUrl, user('any', jwt))
  t.equal(await codeOf(mqttUrl, user('any', jwt)), 3, 'the account has as many connections as it may')
  const closed = event(two.client, 'close')
  await two.client.endAsync()
  await closed
  while (await codeOf(mqttUrl, user('any', jwt)) !== 0) await new Promise(setImmediate)
})

t.test('a client that sends no CONNECT is closed in time', async (t) => {
  const { mqttUrl } = await startOurs(t, 'mqtt { port: -1, host: "127.0.0.1", authorization { token: T, timeout: 0.2 } }')
  const socket = net.connect(Number(new URL(mqttUrl).port), '127.0.0.1')
  socket.resume()
  await once(socket, 'close')
})

t.test('a wrong mqtt block is refused with file and line', async (t) => {
  const users = 'authorization { users [ {user: a, password: p} ] }'
  const file = path.join(scratch(t), 'nats.conf')
  for (const [text, problem] of [
    [`${users}\nmqtt { no_auth_user: b }`, /nats\.conf:2: option 'mqtt\.authorization\.noAuthUser' is b: allowed is one of the users/],
    [`${users}\nmqtt { authorization { user: m, password: p } }`, /nats\.conf:2: option 'mqtt\.authorization' is one with a user or token, where there are users/],
    ['\nmqtt { authorization { password: p } }', /nats\.conf:2: a password needs a user/],
    [`${users}\nmqtt { authorization { users: [] } }`, /nats\.conf:2: unknown key 'users': known are user, pass, token, timeout/]
  ] as const) {
    writeFileSync(file, text)
    t.throws(() => readConfig(file, {}), { code: 'NATS_ERR_CONFIG', message: problem })
  }
})
