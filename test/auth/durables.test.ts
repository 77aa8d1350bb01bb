import t, { type Test } from 'tap'
import type { GatewayOptions } from '../../lib/index.ts'
import { type Host, startHost, versions } from '../helper/brokers.ts'
import { connectMqtt } from '../helper/mqtt.ts'
import { connect, type RawClient } from '../helper/raw.ts'

// Permissions of those who are given more than live messages: durable groups, retained messages, answers to devices.

interface Delivery {
  readonly subject: string
  readonly reply: string
  readonly payload: string
}

/** The next message. */
async function next (client: RawClient): Promise<Delivery> {
  const [, subject = '', reply = '', headerSize = '0'] = /^HMSG (\S+) \S+ (?:(\S+) )?(\d+) \d+\r\n$/.exec(await client.expect(/HMSG [^\r\n]*\r\n/)) ?? []
  const text = await client.expect(new RegExp(`[^]{${headerSize}}[^\\r]*\\r\\n`))
  return { subject, reply, payload: text.slice(Number(headerSize), -2) }
}

for (const { name, create, mqtt5 } of versions) {
  const start = async (t: Test, nats: GatewayOptions): Promise<Host & { as: (user: string) => Promise<RawClient> }> => {
    const host = await startHost(t, { create, nats })
    return { ...host, as: (user) => connect(t, host.natsPort, { user, pass: 'pw' }) }
  }

  t.test(`${name}: a member acknowledges by the reply subject, which is all that it needs`, async (t) => {
    const users = [
      { user: 'a', pass: 'pw', permissions: { subscribe: 'jobs acked.a', publish: { deny: '>' } } },
      { user: 'b', pass: 'pw', permissions: { subscribe: 'jobs acked.b', publish: [] } }
    ]
    const host = await start(t, { authorization: { users } })
    const a = await host.as('a')
    const b = await host.as('b')
    a.send('SUB jobs acked.a 1\r\nSUB jobs acked.b 2\r\nSUB jobs 3\r\n')
    t.equal(await a.fence(), "-ERR 'Permissions Violation for Subscription to \"jobs\" using queue \"acked.b\"'\r\n-ERR 'Permissions Violation for Subscription to \"jobs\"'\r\n")
    b.send('SUB jobs acked.b 1\r\n')
    t.equal(await b.fence(), '')
    const device = await connectMqtt(t, host.mqttUrl)
    await device.publish('jobs', 'x')
    const forA = await next(a)
    const forB = await next(b)
    t.match([forA, forB], [{ subject: 'jobs', payload: 'x' }, { subject: 'jobs', payload: 'x' }])

    const pendingOf = async (group: string): Promise<number | undefined> => (await host.gateway.durables.inspect(group))?.pending
    for (const guess of [forA.reply.replace('acked_a', 'acked_b'), forB.reply.replace(/^(\$JS\.ACK\.)[^.]*/, `$1${forA.reply.split('.')[2] ?? ''}`), forB.reply.replace(/_[0-9a-f]+\./, '_0.')]) {
      a.send(`PUB ${guess} 5\r\n+TERM\r\n`)
      t.equal(await a.fence(), '', 'a guess is answered as what is right')
    }
    t.equal(await pendingOf('acked.b'), 1, 'one group cannot acknowledge for another')
    a.send(`PUB ${forA.reply} 4\r\n+ACK\r\n`)
    t.equal(await a.fence(), '')
    t.strictSame([await pendingOf('acked.a'), await pendingOf('acked.b')], [0, 1])
    b.send(`PUB ${forB.reply} 0\r\n\r\nPUB $JS.ACK.other 0\r\n\r\nPUB jobs 0\r\n\r\n`)
    t.equal(await b.fence(), "-ERR 'Permissions Violation for Publish to \"$JS.ACK.other\"'\r\n-ERR 'Permissions Violation for Publish to \"jobs\"'\r\n")
    t.equal(await pendingOf('acked.b'), 0)
  })

  t.test(`${name}: the answer to an acknowledgement goes where the member may publish, else to the member alone`, async (t) => {
    const users = [
      { user: 'a', pass: 'pw', permissions: { subscribe: ['jobs acked.a', '_INBOX.>'], publish: 'open' } },
      { user: 'free', pass: 'pw' },
      { user: 'all', pass: 'pw' }
    ]
    const host = await start(t, { authorization: { users } })
    const all = await host.as('all')
    all.send('SUB admin.* 1\r\nSUB open 2\r\nSUB _INBOX.> 3\r\nSUB $SYS.x 4\r\nSUB _GR_.x 5\r\n')
    await all.fence()
    const a = await host.as('a')
    a.send('SUB _INBOX.a 1\r\nSUB jobs acked.a 2\r\n')
    await a.fence()
    const device = await connectMqtt(t, host.mqttUrl)
    const acknowledge = async (member: RawClient, ...replies: string[]): Promise<void> => {
      for (const reply of replies) {
        await device.publish('jobs', 'x')
        member.send(`PUB ${(await next(member)).reply} ${reply} 4\r\n+ACK\r\n`)
      }
    }
    await acknowledge(a, 'admin.shutdown', '_INBOX.a')
    await a.expect('MSG _INBOX.a 1 0\r\n\r\n')
    t.equal(await all.fence(), '', 'answered in order')
    await acknowledge(a, 'open')
    await all.expect('MSG open 2 0\r\n\r\n')
    a.socket.destroy()
    const free = await host.as('free')
    free.send('SUB mine 1\r\nSUB jobs acked.b 2\r\n')
    await free.fence()
    await acknowledge(free, '$SYS.x', '_GR_.x', 'open')
    await all.expect('MSG open 2 0\r\n\r\n')
    host.broker.authorizePublish = (_client, _packet, done) => { done(null) }
    await acknowledge(free, 'open', 'mine')
    await free.expect('MSG mine 1 0\r\n\r\n')
    t.equal(await all.fence(), '')
  })

  t.test(`${name}: who may answer may answer the request that a durable group was given`, { skip: !mqtt5 && 'this version has no MQTT 5' }, async (t) => {
    const users = [{ user: 'a', pass: 'pw', permissions: { subscribe: ['jobs'], responses: true } }]
    for (const group of ['acked.a', 'durable.a']) {
      const host = await start(t, { authorization: { users } })
      const service = await host.as('a')
      service.send(`SUB jobs ${group} 1\r\n`)
      await service.fence()
      const device = await connectMqtt(t, host.mqttUrl, { protocolVersion: 5 })
      await device.subscribe('answers')
      await device.publish('jobs', 'x', { qos: 1, properties: { responseTopic: 'answers' } })
      await next(service)
      service.send('PUB answers 3\r\nyes\r\nPUB answers 2\r\nno\r\nPUB other 0\r\n\r\n')
      t.equal((await service.fence()).replaceAll('PING\r\n', ''), "-ERR 'Permissions Violation for Publish to \"answers\"'\r\n-ERR 'Permissions Violation for Publish to \"other\"'\r\n", group)
      t.equal((await device.take())[0]?.payload.toString(), 'yes')
    }
  })

  t.test(`${name}: what is denied is kept out of durable groups and of what is retained`, async (t) => {
    const users = [
      { user: 'a', pass: 'pw', permissions: { subscribe: { allow: ['x.>', 'retained.>'], deny: ['x.secret', 'retained.*.secret', 'x.quiet acked.g'] } } },
      { user: 'all', pass: 'pw' }
    ]
    const host = await start(t, { retained: true, authorization: { users } })
    const device = await connectMqtt(t, host.mqttUrl)
    for (const topic of ['retained/a', 'retained/a/secret', 'retained/a/open']) await device.publish(topic, topic, { qos: 1, retain: true })
    const a = await host.as('a')
    a.send('SUB retained.> 1\r\n')
    const got = [...(await a.fence()).matchAll(/HMSG (\S+) /g)].map(([, subject]) => subject).sort()
    t.strictSame(got, ['retained.a', 'retained.a.open'])
    a.send('SUB x.secret acked.g 2\r\n')
    t.equal(await a.fence(), "-ERR 'Permissions Violation for Subscription to \"x.secret\" using queue \"acked.g\"'\r\n")
    a.send('SUB x.> acked.g 3\r\n')
    t.equal(await a.fence(), '')
    for (const qos of [0, 1] as const) {
      for (const topic of ['x/secret', 'x/quiet', 'x/open']) await device.publish(topic, `${topic} ${qos}`, { qos })
    }
    await a.expect('MSG x.open 3 8\r\nx/open 0\r\n')
    t.match(await next(a), { subject: 'x.open', payload: 'x/open 1' })
    t.equal(await a.fence(), '')
  })

  t.test(`${name}: an answer to an MQTT requester needs the right to its response topic, or to answer`, { skip: !mqtt5 && 'this version has no MQTT 5' }, async (t) => {
    const users = [
      { user: 'answers', pass: 'pw', permissions: { subscribe: 'service', responses: true } },
      { user: 'topic', pass: 'pw', permissions: { subscribe: 'service', publish: 'devices.1.in' } },
      { user: 'prefix', pass: 'pw', permissions: { subscribe: 'service', publish: '_MQTT_REPLY.>' } }
    ]
    const host = await start(t, { authorization: { users } })
    const device = await connectMqtt(t, host.mqttUrl, { protocolVersion: 5 })
    await device.subscribe('devices/1/in')
    for (const [user, may, mayAgain] of [['answers', true, false], ['topic', true, true], ['prefix', false, false]] as const) {
      const service = await host.as(user)
      service.send('SUB service 1\r\n')
      await service.fence()
      await device.publish('service', 'ask', { qos: 0, properties: { responseTopic: 'devices/1/in', correlationData: Buffer.from('c1') } })
      const { reply } = await next(service)
      t.match(reply, /^_MQTT_REPLY\.YzE\.devices\.1\.in$/)
      const denied = `-ERR 'Permissions Violation for Publish to "${reply}"'\r\n`
      service.send(`PUB ${reply} ${user.length}\r\n${user}\r\n`)
      t.equal(await service.fence(), may ? '' : denied, user)
      if (may) t.match((await device.take())[0], { topic: 'devices/1/in', properties: { correlationData: Buffer.from('c1') } })
      service.send(`PUB ${reply} 0\r\n\r\n`)
      t.equal(await service.fence(), mayAgain ? '' : denied, `${user} again`)
      if (mayAgain) await device.take()
      for (const subject of ['_MQTT_REPLY.YzE.devices.2.in', '_MQTT_REPLY.YzE.$SYS.x', '_MQTT_REPLY.x', 'devices.2.in']) {
        const only = `-ERR 'Permissions Violation for Publish to "${subject}"'\r\n`
        service.send(`PUB ${subject} 0\r\n\r\n`)
        t.equal(await service.fence(), user === 'prefix' && subject === '_MQTT_REPLY.x' ? '' : only, `${user} ${subject}`)
      }
      service.socket.destroy()
    }
  })
}
