import { once } from 'node:events'
import net from 'node:net'
import { connect as connectNats, headers, type Msg, type NatsConnection } from '@nats-io/transport-node'
import mqttPacket from 'mqtt-packet'
import { connect as connectOldNats } from 'nats'
import t, { type Test } from 'tap'
import type { HostHooks } from '../../lib/broker/host.ts'
import { startHost, versions } from '../helper/brokers.ts'
import { connectMqtt } from '../helper/mqtt.ts'
import { connect } from '../helper/raw.ts'

// What a message carries besides its payload, from MQTT to NATS and back, with real clients.

async function nats (t: Test, url: string): Promise<NatsConnection> {
  const connection = await connectNats({ servers: url, reconnect: false })
  t.teardown(() => connection.close())
  return connection
}

async function next (subscription: AsyncIterable<unknown>): Promise<Msg> {
  const { value } = await subscription[Symbol.asyncIterator]().next()
  return value as Msg
}

const all = (message: { headers?: Iterable<[string, string[]]> | undefined }): Record<string, string[]> => Object.fromEntries(message.headers ?? [])
const block = (...lines: string[]): string => `NATS/1.0\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`
const hmsg = (subject: string, header: string, payload: string): string => `HMSG ${subject} 1 ${header.length} ${header.length + payload.length}\r\n${header}${payload}\r\n`
const hpub = (subject: string, header: string, payload: string): string => `HPUB ${subject} ${header.length} ${header.length + payload.length}\r\n${header}${payload}\r\n`

for (const { name, mqtt5, create } of versions) {
  t.test(`${name}: a plain MQTT message is a MSG; one of QoS 1 or 2, or retained, tells its QoS`, async (t) => {
    const host = await startHost(t, { create })
    const withHeaders = await connect(t, host.natsPort)
    const without = await connect(t, host.natsPort, { headers: false, no_responders: false })
    for (const client of [withHeaders, without]) {
      client.send('SUB a.> 1\r\n')
      await client.fence()
    }
    const mqtt = await connectMqtt(t, host.mqttUrl)
    for (const [i, options] of [{ qos: 0 }, { qos: 1 }, { qos: 2 }, { qos: 0, retain: true }, { qos: 1, retain: true }].entries()) {
      await mqtt.publish('a/x', `m${i}`, options)
      await withHeaders.expect(i === 0 ? 'MSG a.x 1 2\r\nm0\r\n' : hmsg('a.x', block(`Nmqtt-Pub: ${options.qos}`), `m${i}`))
      await without.expect(`MSG a.x 1 2\r\nm${i}\r\n`)
    }
  })

  t.test(`${name}: headers of NATS clients reach MQTT 5 clients as user properties, MQTT 3 clients without`, async (t) => {
    const host = await startHost(t, { create })
    const old = await connectMqtt(t, host.mqttUrl)
    await old.subscribe('a/#')
    const device = mqtt5 ? await connectMqtt(t, host.mqttUrl, { protocolVersion: 5 }) : null
    await device?.subscribe('a/#')
    const service = await nats(t, host.natsUrl)
    const before = await connectOldNats({ servers: host.natsUrl })
    t.teardown(() => before.close())
    const given = headers()
    given.append('X-Trace', 'one: two')
    given.append('x-trace', 'città für 😀')
    given.append('X-Trace', 'three')
    given.append('constructor', 'c')
    given.append('Nmqtt-Content-Type', 'text/plain')
    given.append('Nmqtt-Correlation-Data', 'AP8=')
    given.append('Nmqtt-Payload-Format', '1')
    given.append('Nmqtt-Expiry', '60')
    given.append('Nmqtt-What', 'of no meaning')
    const userProperties = { 'X-Trace': ['one: two', 'three'], 'x-trace': 'città für 😀', constructor: 'c' }
    for (const [i, connection] of [service, before].entries()) {
      connection.publish('a.b', `m${i}`, { headers: given as never, reply: '_INBOX.x' })
      t.match((await old.take())[0], { topic: 'a/b', payload: Buffer.from(`m${i}`), properties: undefined })
      if (device === null) continue
      const [message] = await device.take()
      t.same(message?.properties, { responseTopic: '_INBOX/x', contentType: 'text/plain', correlationData: Buffer.from([0, 255]), payloadFormatIndicator: true, messageExpiryInterval: 60, userProperties })
    }
  })

  t.test(`${name}: whatever block a NATS client publishes, the connections of MQTT clients survive it`, async (t) => {
    const host = await startHost(t, { create })
    const device = await connectMqtt(t, host.mqttUrl, { protocolVersion: mqtt5 ? 5 : 4 })
    await device.subscribe('#')
    const client = await connect(t, host.natsPort)
    const long = 'x'.repeat(65_535)
    const rows: [string, object | undefined][] = [
      ['rubbish', undefined],
      ['NATS/1.0 503\r\n\r\n', undefined],
      [block('A: \xff', 'B: b', '\xff: c'), { userProperties: { B: 'b' } }],
      [block('A: \0', 'no colon', ': no name', 'B: b'), { userProperties: { B: 'b' } }],
      [block(`A: ${long}`, `B: ${long}x`, `${long}x: c`), { userProperties: { A: long } }],
      [block('__proto__: a', '__proto__: b', 'toString: c'), { userProperties: Object.assign(Object.defineProperty({}, '__proto__', { value: ['a', 'b'], enumerable: true }), { toString: 'c' }) }],
      [block('Nmqtt-Expiry: 4294967296', 'Nmqtt-Correlation-Data: ', 'Nmqtt-Payload-Format: 2', 'Nmqtt-Content-Type: \0'), undefined],
      [block('Nmqtt-Content-Type: '), { contentType: '' }],
      [block('Nmqtt-Expiry: 0', 'Nmqtt-Payload-Format: 0'), { messageExpiryInterval: 0, payloadFormatIndicator: false }]
    ]
    for (const [header, properties] of rows) {
      client.send(hpub('a', header, 'x'))
      const [message] = await device.take()
      t.equal(message?.topic, 'a')
      if (!mqtt5) continue
      const { userProperties, ...others } = message?.properties ?? {}
      const { userProperties: wantedUser, ...wanted } = (properties ?? {}) as Record<string, object>
      t.same(others, wanted)
      t.same(Object.entries(userProperties ?? {}), Object.entries(wantedUser ?? {}))
    }
  })

  t.test(`${name}: what authorizePublish makes of headers and reply is what everybody gets`, async (t) => {
    const host = await startHost(t, { create })
    const hooks = host.broker as unknown as HostHooks
    hooks.authorizePublish = (_client, packet, done) => {
      const user = packet.properties?.userProperties
      if (packet.topic === 'stamp') packet.properties = { ...packet.properties, userProperties: { ...user, user: 'älice' } }
      if (packet.topic === 'strip' && user !== undefined) delete user['X-Admin']
      if (packet.topic === 'reply' && packet.properties !== undefined) packet.properties.responseTopic = 'other/place'
      done(null)
    }
    const client = await connect(t, host.natsPort)
    client.send('SUB > 1\r\n')
    client.send('PUB stamp 1\r\nx\r\n')
    await client.expect(hmsg('stamp', block('user: \xc3\xa4lice'), 'x'))
    client.send(hpub('stamp', block('A:  1', 'Nmqtt-What: x'), 'x'))
    await client.expect(hmsg('stamp', block('Nmqtt-What: x', 'A: 1', 'user: \xc3\xa4lice'), 'x'))
    client.send(hpub('strip', block('X-Admin: yes', 'A:  1'), 'x'))
    await client.expect(hmsg('strip', block('A: 1'), 'x'))
    client.send(hpub('strip', block('X-Admin: yes'), 'x'))
    await client.expect('MSG strip 1 1\r\nx\r\n')
    client.send(hpub('strip', 'NATS/1.0 1\r\nA:  1\r\n\r\n', 'x'))
    await client.expect(hmsg('strip', 'NATS/1.0 1\r\nA:  1\r\n\r\n', 'x'))
    client.send('PUB reply some.place 1\r\nx\r\n')
    await client.expect('MSG reply 1 other.place 1\r\nx\r\n')
    t.equal(await client.fence(), '')
  })

  t.test(`${name}: what authorizeForward makes of headers is what one client gets`, async (t) => {
    const host = await startHost(t, { create })
    const hooks = host.broker as unknown as HostHooks
    const { authorizeForward } = hooks
    hooks.authorizeForward = (client, packet) => {
      const { nats } = client as { nats?: { name: string } }
      if (nats?.name === 'plain') delete packet.properties?.userProperties?.['Secret']
      return authorizeForward(client, packet)
    }
    const [full, plain] = await Promise.all(['full', 'plain'].map((name) => connect(t, host.natsPort, { name })))
    for (const client of [full, plain]) {
      client?.send('SUB a 1\r\n')
      await client?.fence()
    }
    full?.send(hpub('a', block('Secret:s', 'Open:o'), 'x'))
    await full?.expect(hmsg('a', block('Secret:s', 'Open:o'), 'x'))
    await plain?.expect(hmsg('a', block('Open: o'), 'x'))
    if (!mqtt5) return
    const device = await connectMqtt(t, host.mqttUrl, { protocolVersion: 5 })
    await device.publish('a', 'y', { properties: { userProperties: { Secret: 's', Open: 'o' } } })
    await plain?.expect(hmsg('a', block('Nmqtt-Pub: 0', 'Open: o'), 'y'))
    await full?.expect(hmsg('a', block('Nmqtt-Pub: 0', 'Secret: s', 'Open: o'), 'y'))
  })

  if (!mqtt5) continue

  t.test(`${name}: properties of MQTT 5 clients reach NATS clients as headers`, async (t) => {
    const host = await startHost(t, { create })
    const service = await nats(t, host.natsUrl)
    const before = await connectOldNats({ servers: host.natsUrl })
    t.teardown(() => before.close())
    const plain = await connect(t, host.natsPort, { headers: false, no_responders: false })
    plain.send('SUB a.b 1\r\n')
    await plain.fence()
    const subscription = service.subscribe('a.b')
    const earlier = before.subscribe('a.b')
    await Promise.all([service.flush(), before.flush()])
    const device = await connectMqtt(t, host.mqttUrl, { protocolVersion: 5 })
    await device.publish('a/b', 'x', {
      qos: 0,
      properties: {
        contentType: 'text/plain', correlationData: Buffer.from([0, 255]), payloadFormatIndicator: true, messageExpiryInterval: 60, responseTopic: 'r/1', userProperties: { 'X-Trace': ['one: two', 'città'], 'x-trace': '3', 'für mich\r\nX: y': 'a\r\nB: c' }
      }
    })
    const wanted = {
      'Nmqtt-Pub': ['0'], 'Nmqtt-Content-Type': ['text/plain'], 'Nmqtt-Correlation-Data': ['AP8='], 'Nmqtt-Payload-Format': ['1'], 'Nmqtt-Expiry': ['60'], 'X-Trace': ['one: two', 'città'], 'x-trace': ['3'], 'f%C3%BCr%20mich%0D%0AX%3A%20y': ['a  B: c']
    }
    const message = await next(subscription)
    t.same(all(message), wanted)
    t.match(message.reply, /^_MQTT_REPLY\.AP8\.r\.1$/)
    t.same(all(await next(earlier)), wanted)
    await plain.expect('MSG a.b 1 _MQTT_REPLY.AP8.r.1 1\r\nx\r\n')
    // There and back again.
    await device.subscribe('back')
    service.publish('back', 'x', message.headers === undefined ? {} : { headers: message.headers })
    t.same((await device.take())[0]?.properties, {
      contentType: 'text/plain', correlationData: Buffer.from([0, 255]), payloadFormatIndicator: true, messageExpiryInterval: 60, userProperties: { 'X-Trace': ['one: two', 'città'], 'x-trace': '3', 'für mich\r\nX: y': 'a  B: c' }
    })
  })

  t.test(`${name}: an MQTT 5 client that breaks the protocol in its properties breaks nothing else`, async (t) => {
    const host = await startHost(t, { create })
    const client = await connect(t, host.natsPort)
    client.send('SUB > 1\r\n')
    await client.fence()
    const string = (code: number, text: string): Buffer => Buffer.concat([Buffer.from([code, 0, text.length]), Buffer.from(text)])
    const rows: [string, Buffer, RegExp][] = [
      ['content type twice', Buffer.concat([string(3, 'a'), string(3, 'b')]), /HMSG t 1 /],
      ['response topic twice', Buffer.concat([string(8, 'a'), string(8, 'b')]), /HMSG t 1 /],
      ['correlation data twice', Buffer.concat([string(8, 'r'), string(9, 'a'), string(9, 'b')]), /HMSG t 1 r /],
      ['expiry twice', Buffer.from([2, 0, 0, 0, 1, 2, 0, 0, 0, 2]), /HMSG t 1 /],
      ['a content type that is cut off', Buffer.from([3, 0xff, 0xff]), /HMSG t 1 |MSG t 1 /],
      ['a user property that is cut off', Buffer.from([38, 0, 1, 0x61, 0xff, 0xff]), /HMSG t 1 |MSG t 1 /]
    ]
    for (const [what, properties, wanted] of rows) {
      const socket = net.connect(host.mqttPort, '127.0.0.1')
      socket.on('error', () => {})
      t.teardown(() => socket.destroy())
      socket.write(mqttPacket.generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 5, clientId: what.replaceAll(' ', ''), clean: true, keepalive: 0 }))
      await once(socket, 'data')
      const body = Buffer.concat([Buffer.from([0, 1, 0x74, properties.length]), properties, Buffer.from('x')])
      socket.write(Buffer.concat([Buffer.from([0x30, body.length]), body]))
      await client.expect(wanted)
      await client.fence()
      t.equal(host.broker.closed, false, what)
    }
  })
}
