import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import type { Facade } from '../../lib/broker/facade.ts'
import type { HostHooks } from '../../lib/broker/host.ts'
import { createGateway, type GatewayOptions } from '../../lib/index.ts'
import { encodeText } from '../../lib/wire/text.ts'
import { startBroker, startHost, versions } from '../helper/brokers.ts'
import { connectMqtt } from '../helper/mqtt.ts'
import { connect, type RawClient } from '../helper/raw.ts'
import { got, kept, library, pub, startTenants } from './tenants.ts'

/* eslint-disable no-template-curly-in-string -- placeholders of the option mountpoint */

for (const { name, create } of versions) {
  t.test(`${name}: whatever a user is called, it has one level of its own`, async (t) => {
    const host = await startTenants(t, create)
    const device = await connectMqtt(t, host.mqttUrl)
    await device.subscribe('#')
    const rows: [username: string, level: string][] = [
      ['a/b', 'a%2Fb'], ['+', '%2B'], ['#', '%23'], ['%', '%25'], ['%2F', '%252F'], ['a.b', 'a.b'], ['*', '*'], ['>', '>'], ['a b', 'a b'], ['é€😀', 'é€😀'], ['$SYS', '%24SYS'],
      ['$NATS', '%24NATS'], ['a[b]?\\', 'a[b]?\\'], ['constructor', 'constructor'], ['__proto__', '__proto__'], ['\0', '%00'], ['_INBOX', '_INBOX'], ['a', 'a'], ['b', 'b']
    ]
    const clients: RawClient[] = []
    for (const [user, level] of rows) {
      const client = await connect(t, host.natsPort, null)
      client.send(encodeText(`CONNECT ${JSON.stringify({ verbose: false, user })}\r\nSUB > 1\r\nSUB b 2\r\n`))
      t.equal(await client.fence(), '', user)
      client.send(pub('b.x', 'from NATS'))
      t.strictSame(await got(client), ['1 b.x from NATS'], user)
      t.equal((await device.take())[0]?.topic, `${level}/b/x`)
      clients.push(client)
    }
    for (const [at, [user, level]] of rows.entries()) {
      await device.publish(`${level}/b`, user, { qos: 0 })
      await device.take()
      for (const [i, client] of clients.entries()) {
        t.strictSame(await got(client), i === at ? ['1 b', '2 b'].map((line) => `${line} ${encodeText(user)}`) : [], `${user} for ${rows[i]?.[0] ?? ''}`)
      }
    }
    for (const user of ['a', 'b', 'a b']) await t.resolves(library(t, host.natsPort, user), 'the official client, too')
  })

  t.test(`${name}: a topic longer than MQTT allows ends no MQTT client`, async (t) => {
    const host = await startHost(t, { create, nats: { mountpoint: 'ann/', maxControlLine: 1_000_000 } })
    const device = await connectMqtt(t, host.mqttUrl)
    await device.subscribe('#')
    const client = await connect(t, host.natsPort)
    for (const [length, replyLength] of [[65_531, 5], [65_532, 5], [5, 65_531], [5, 65_532]] as const) {
      const [subject, reply] = ['s'.repeat(length), 'r'.repeat(replyLength)]
      client.send(`SUB ${subject} 1\r\n${pub(subject, 'x', reply)}UNSUB 1\r\n`)
      t.strictSame(await got(client), [`1 ${subject} ${reply} x`])
      if (length < 65_532) t.equal((await device.take())[0]?.topic, `ann/${subject}`)
    }
    client.send(pub('end'))
    t.equal((await device.take())[0]?.topic, 'ann/end')
  })

  t.test(`${name}: $SYS is out of reach of tenants`, async (t) => {
    const host = await startTenants(t, create)
    const sys = await connect(t, host.natsPort, { user: '$SYS' })
    const ann = await connect(t, host.natsPort, { user: 'ann' })
    for (const client of [sys, ann]) {
      client.send('SUB > 1\r\nSUB $SYS.> 2\r\nSUB *.> 3\r\n')
      await client.fence()
    }
    const hooks = host.broker as unknown as { publish (packet: object, callback: (error: Error | null) => void): void }
    await new Promise((resolve) => { hooks.publish({ topic: '$SYS/x/y', payload: 'x', qos: 0, retain: false }, resolve) })
    t.strictSame([...await got(sys), ...await got(ann)], [])
    ann.send(pub('$SYS.x', 'mine'))
    t.strictSame(await got(ann), ['1 $SYS.x mine', '2 $SYS.x mine', '3 $SYS.x mine'])
    t.strictSame(await got(sys), [])
    const open = await connect(t, host.openPort)
    open.send('SUB $SYS.x.y 1\r\n')
    await open.fence()
    await new Promise((resolve) => { hooks.publish({ topic: '$SYS/x/y', payload: 'x', qos: 0, retain: false }, resolve) })
    t.strictSame(await got(open), ['1 $SYS.x.y x'])
    open.send(pub('$SYS.x'))
    t.equal(await open.fence(), "-ERR 'Permissions Violation for Publish to \"$SYS.x\"'\r\n")
  })

  t.test(`${name}: who lacks a value is refused, and who would move`, async (t) => {
    const lines: string[] = []
    const log = (_details: object, text: string): void => { lines.push(text) }
    const logger = { trace: log, debug: log, info: log, warn: log, error: log, isLevelEnabled: () => false }
    const host = await startHost(t, { create, nats: { mountpoint: '${username}/${name}/', logger } })
    const errors: string[] = []
    host.broker.on('connectionError', (_client, error) => { errors.push(error.message) })
    host.broker.on('clientError', (_client, error) => { errors.push(`later: ${error.message}`) })
    for (const first of ['CONNECT {"user":"ann"}\r\n', 'CONNECT {"name":"x","user":""}\r\n', 'PING\r\n', 'SUB a 1\r\n', 'PUB a 0\r\n\r\n']) {
      const client = await connect(t, host.natsPort, null)
      client.send(first)
      t.equal(await client.end(), "-ERR 'Authorization Violation'\r\n", first)
      t.strictSame(errors.splice(0), ['authorization violation: nothing to fill ${username}/${name}/ with'])
      t.ok(lines.splice(0).includes('authorization violation: nothing to fill ${username}/${name}/ with'))
    }
    t.equal(host.broker.connectedClients, 0)
    const client = await connect(t, host.natsPort, { user: 'ann', name: 'x' })
    client.send('CONNECT {"verbose":false,"echo":true}\r\nCONNECT {"name":"x","user":"ann"}\r\nSUB a 1\r\nPUB a 1\r\nx\r\n')
    t.strictSame(await got(client), ['1 a x'], 'another CONNECT may say what it likes, but for who it is')
    client.send('CONNECT {"name":"y"}\r\nPUB a 1\r\nx\r\n')
    t.equal(await client.end(), "-ERR 'Authorization Violation'\r\n")
    t.strictSame(errors, ['later: authorization violation: another CONNECT leads from ann/x/ to ann/y/'])
    t.strictSame(kept(host), { mountpoints: [], topicFilters: [] })
  })

  t.test(`${name}: the other placeholders`, async (t) => {
    const host = await startHost(t, { create, nats: { mountpoint: 'c/${clientid}/', clientId: '${name}', listeners: [{ port: 0, mountpoint: 'h/${host}/' }, { port: 0 }] } })
    const device = await connectMqtt(t, host.mqttUrl)
    await device.subscribe('#')
    const ports = host.gateway.listeners.tcp.map(({ port }) => port)
    for (const [i, topic] of ['c/nats:billing/x', 'h/127.0.0.1/x', 'c/nats:billing/x'].entries()) {
      const client = await connect(t, ports[i] as number, { name: 'billing' })
      client.send(pub('x'))
      await client.fence()
      t.equal((await device.take())[0]?.topic, topic)
    }
    const random = await connect(t, host.natsPort)
    random.send(pub('x'))
    await random.fence()
    t.match((await device.take())[0]?.topic, /^c\/nats:[0-9a-f]{24}\/x$/)
  })

  t.test(`${name}: a mountpoint may lie in another one`, async (t) => {
    const host = await startHost(t, { create, nats: { mountpoint: 'a/', listeners: [{ port: 0, mountpoint: 'a/b/' }, { port: 0, mountpoint: 'a/bc/' }, { port: 0, mountpoint: '' }] } })
    const device = await connectMqtt(t, host.mqttUrl)
    const clients = await Promise.all(host.gateway.listeners.tcp.map(async ({ port }): Promise<RawClient> => {
      const client = await connect(t, port)
      client.send('SUB > 1\r\nSUB b.x 2\r\nSUB x q 3\r\n')
      await client.fence()
      return client
    }))
    const [outer, inner, , open] = clients as [RawClient, RawClient, RawClient, RawClient]
    const seen = async (): Promise<string[][]> => await Promise.all(clients.map(got))
    inner.send(pub('x', '1', 'reply'))
    t.strictSame(await got(inner), ['1 x reply 1', '3 x reply 1'])
    t.strictSame(await seen(), [['1 b.x b.reply 1', '2 b.x b.reply 1'], [], [], ['1 a.b.x a.b.reply 1']])
    outer.send(pub('b.x', '2', 'reply') + pub('b.b.x', '3', 'b.reply'))
    t.strictSame(await got(outer), ['1 b.b.x b.reply 3', '1 b.x reply 2', '2 b.x reply 2'])
    t.strictSame(await seen(), [[], ['1 b.x reply 3', '1 x 2', '2 b.x reply 3', '3 x 2'], [], ['1 a.b.b.x a.b.reply 3', '1 a.b.x a.reply 2']])
    open.send(pub('a.bc.x', '4'))
    await open.fence()
    t.strictSame(await seen(), [['1 bc.x 4'], [], ['1 x 4', '3 x 4'], []])
    await device.publish('a/b/x', '5')
    t.strictSame(await seen(), [['1 b.x 5', '2 b.x 5'], ['1 x 5', '3 x 5'], [], ['1 a.b.x 5']])
    await device.publish('a/b', '6')
    await device.publish('a', '7')
    t.strictSame(await seen(), [['1 b 6'], [], [], ['1 a 7', '1 a.b 6']])
  })

  t.test(`${name}: what the host does with a client`, async (t) => {
    const host = await startTenants(t, create)
    const ann = await connect(t, host.natsPort, { user: 'ann' })
    ann.send('SUB a 1\r\nSUB b.* 2\r\nSUB x/y 3\r\n')
    await ann.fence()
    const [facade] = Object.values((host.broker as unknown as { clients: Record<string, Facade> }).clients)
    t.strictSame(Object.keys(facade?.subscriptions ?? {}), ['ann/a', 'ann/b/+', 'ann/$NATS/x%2Fy'])
    const deliver = async (topic: string): Promise<void> => { await new Promise((resolve) => { facade?.publish({ cmd: 'publish', topic, payload: 'x', qos: 0, retain: false } as never, resolve) }) }
    for (const topic of ['ann/a', 'ann/b/c', 'a', 'bob/a', 'ann/']) await deliver(topic)
    t.strictSame(await got(ann), ['1 a x', '2 b.c x'])
    await new Promise((resolve) => { facade?.unsubscribe(['ann/a', 'b/+'], resolve) })
    for (const topic of ['ann/a', 'ann/b/c']) await deliver(topic)
    t.strictSame(await got(ann), ['2 b.c x'])
  })

  t.test(`${name}: nothing is kept of tenants that are gone`, async (t) => {
    const host = await startTenants(t, create)
    const hooks = host.broker as unknown as HostHooks
    hooks.authenticate = (_client, username, _password, callback) => { callback(null, username !== 'eve') }
    const clients = await Promise.all(['ann', 'ann', 'bob', 'cleo'].map(async (user): Promise<RawClient> => {
      const client = await connect(t, host.natsPort, { user })
      client.send('SUB a 1\r\nSUB b.* 2\r\nSUB a q 3\r\nSUB x/y 4\r\n')
      await client.fence()
      return client
    }))
    const open = await connect(t, host.openPort)
    open.send('SUB ann.a 1\r\n')
    await open.fence()
    const eve = await connect(t, host.natsPort, null)
    eve.send('CONNECT {"user":"eve"}\r\n')
    await eve.end()
    t.strictSame(kept(host), { mountpoints: ['ann/', 'bob/', 'cleo/'], topicFilters: ['ann/a', 'ann/b/+', 'bob/a', 'bob/b/+', 'cleo/a', 'cleo/b/+'] })
    t.equal(host.gateway.subscriptions, 17)
    const [ann, alsoAnn, bob, cleo] = clients as [RawClient, RawClient, RawClient, RawClient]
    const gone = async (): Promise<void> => { await once(host.broker, 'clientDisconnect') }
    await Promise.all([gone(), ann.socket.end()])
    await Promise.all([gone(), bob.socket.destroy()])
    await turn()
    t.strictSame(kept(host), { mountpoints: ['ann/', 'cleo/'], topicFilters: ['ann/a', 'ann/b/+', 'cleo/a', 'cleo/b/+'] })
    await Promise.all([gone(), open.socket.end()])
    cleo.send('UNSUB 1\r\nUNSUB 2\r\nUNSUB 3\r\n')
    await cleo.fence()
    await turn()
    t.strictSame(kept(host), { mountpoints: ['ann/', 'cleo/'], topicFilters: ['ann/a', 'ann/b/+'] })
    alsoAnn.send(pub('a', 'x'))
    t.strictSame(await got(alsoAnn), ['1 a x', '3 a x'])
    await Promise.all([gone(), alsoAnn.send('ZZZ\r\n')])
    await Promise.all([gone(), cleo.socket.end()])
    await turn()
    t.strictSame(kept(host), { mountpoints: [], topicFilters: [] })
    t.equal(host.gateway.subscriptions, 0)
    const again = await connect(t, host.natsPort, { user: 'ann' })
    again.send('SUB a 1\r\n' + pub('a', 'again'))
    t.strictSame(await got(again), ['1 a again'])
  })
}

t.test('a wrong mountpoint is refused before anything is touched', async (t) => {
  const { broker } = await startBroker(t)
  const before = Object.getOwnPropertyNames(broker)
  const publish = broker.publish
  const allowed = "allowed is '' or a topic prefix that ends with /, with ${username}, ${clientid}, ${name} or ${host} in it, apart from each other"
  const rows: [options: GatewayOptions, message: string][] = [
    [{ mountpoint: 'a' }, `option 'mountpoint' is "a", with no / at its end: ${allowed}`],
    [{ mountpoint: '${password}/' }, `option 'mountpoint' is "\${password}/", with an unknown placeholder \${password}: ${allowed}`],
    [{ mountpoint: '+/' }, `option 'mountpoint' is "+/", with a wildcard or a control character: ${allowed}`],
    [{ mountpoint: 'fine/', listeners: [{ port: 0 }, { port: 0, mountpoint: '${username}' }] }, `option 'listeners' is "\${username}", with no / at its end: ${allowed}`],
    [{ mountpoint: 5 as unknown as string }, "option 'mountpoint' is 5: allowed is a string"]
  ]
  for (const [options, message] of rows) await t.rejects(createGateway(broker as never, { port: 0, host: '127.0.0.1', ...options }), { code: 'NATS_ERR_OPTION', message })
  t.strictSame(Object.getOwnPropertyNames(broker), before)
  t.equal(broker.publish, publish)
  const gateway = await createGateway(broker as never, { port: 0, host: '127.0.0.1', mountpoint: 'a/' })
  t.throws(() => { gateway.accept(new PassThrough(), { mountpoint: 'b' }) }, { code: 'NATS_ERR_OPTION', message: `option 'mountpoint' is "b", with no / at its end: ${allowed}` })
  t.equal(gateway.clients.size, 0)
  t.throws(() => { gateway.update({ mountpoint: 'b/' }) }, { code: 'NATS_ERR_OPTION', message: /option 'mountpoint' is fixed while the gateway runs/ })
  await gateway.close()
})
