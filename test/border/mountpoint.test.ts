import t, { type Test } from 'tap'
import type { HostHooks, HostSubscription } from '../../lib/broker/host.ts'
import { versions } from '../helper/brokers.ts'
import { connectMqtt } from '../helper/mqtt.ts'
import { connect, type RawClient } from '../helper/raw.ts'
import { got, hpub, library, pub, startTenants } from './tenants.ts'

for (const { name, create } of versions) {
  const pair = async (t: Test, port: number): Promise<[RawClient, RawClient]> => [await connect(t, port, { user: 'ann' }), await connect(t, port, { user: 'bob' })]

  t.test(`${name}: two tenants with the same subjects never see each other`, async (t) => {
    const host = await startTenants(t, create)
    const [ann, bob] = await pair(t, host.natsPort)
    const device = await connectMqtt(t, host.mqttUrl)
    await device.subscribe('#')
    const filters = ['foo.bar', '>', '*.bar', 'foo.*', 'foo.>', '_INBOX.x', '$x.y', 'a/b', 'foo.\xc3\xa9', 'x+', '$JS.API.>']
    for (const client of [ann, bob]) {
      client.send(filters.map((filter, i) => `SUB ${filter} ${i}\r\n`).join(''))
      await client.fence()
    }
    // The topic, empty where there is none, and the filters that match.
    const rows: [subject: string, topic: string, matching: number[]][] = [
      ['foo.bar', 'foo/bar', [0, 1, 2, 3, 4]], ['_INBOX.x', '_INBOX/x', [1, 5]], ['$x.y', '$x/y', [1, 6]], ['a/b', '', [1, 7]], ['foo.\xc3\xa9', 'foo/é', [1, 3, 4, 8]],
      ['x+', '', [1, 9]], ['foo.a/b', '', [1, 3, 4]], ['$JS.API.INFO', '$JS/API/INFO', [1, 10]], ['foo./', 'foo/', [1, 3, 4]], ['$SYS.x', '$SYS/x', [1]], ['ann.foo', 'ann/foo', [1]], ['bob.foo', 'bob/foo', [1]]
    ]
    const expected = (subject: string, matching: readonly number[], payload: string): string[] => matching.map((i) => `${i} ${subject} ${payload}`).sort()
    for (const [mine, theirs, who] of [[ann, bob, 'ann'], [bob, ann, 'bob']] as const) {
      for (const [subject, topic, matching] of rows) {
        mine.send(pub(subject, 'hello', 'some.reply'))
        t.strictSame(await got(mine), expected(`${subject} some.reply`, matching, 'hello'), `${subject} of ${who}`)
        t.strictSame(await got(theirs), [], `nothing of ${subject} for the other`)
        if (topic === '') continue
        t.equal((await device.take())[0]?.topic, `${who}/${topic}`)
        await device.publish(`${who}/${topic}`, 'from MQTT', { qos: 0 })
        await device.take()
        t.strictSame(await got(mine), expected(subject, matching, 'from MQTT'), `${topic} for ${who}`)
        t.strictSame(await got(theirs), [])
      }
    }
    for (const topic of ['foo/bar', 'ann', 'ann/', 'annx/foo/bar', '/ann/foo/bar', 'Ann/foo/bar', '$ann/foo/bar']) await device.publish(topic, 'x')
    t.strictSame([...await got(ann), ...await got(bob)], [], 'what is of no tenant')
  })

  t.test(`${name}: requests are answered in the mountpoint, or not at all`, async (t) => {
    const host = await startTenants(t, create)
    const [ann, bob] = [await library(t, host.natsPort, 'ann'), await library(t, host.natsPort, 'bob')]
    for (const [nats, who] of [[ann, 'ann'], [bob, 'bob']] as const) nats.subscribe('who', { queue: 'q', callback: (_error, message) => { message.respond(`${who} ${message.string()}`) } })
    ann.subscribe('of.ann', { callback: (_error, message) => { message.respond() } })
    await Promise.all([ann.flush(), bob.flush()])
    const answers = await Promise.all(Array.from({ length: 100 }, async (_, i) => (await (i % 2 === 0 ? ann : bob).request('who', String(i))).string()))
    t.strictSame(answers, Array.from({ length: 100 }, (_, i) => `${i % 2 === 0 ? 'ann' : 'bob'} ${i}`))
    await ann.request('of.ann')
    for (const subject of ['of.ann', 'of.nobody', 'ann.of.ann', '$JS.API.INFO', 'a/b']) {
      await t.rejects(bob.request(subject), { message: /no responders/ }, subject)
    }
  })

  t.test(`${name}: queue groups of the same name are several`, async (t) => {
    const host = await startTenants(t, create)
    const members = [...await pair(t, host.natsPort), ...await pair(t, host.natsPort)]
    for (const [i, member] of members.entries()) {
      member.send(`SUB ${i < 2 ? 'work.*' : '>'} q 1\r\n`)
      await member.fence()
    }
    const open = await connect(t, host.openPort)
    open.send('SUB ann.work.* q 1\r\nSUB bob.> q 2\r\n')
    await open.fence()
    const publisher = await connect(t, host.natsPort, { user: 'ann' })
    publisher.send(Array.from({ length: 50 }, (_, i) => pub('work.x', String(i))).join(''))
    await publisher.fence()
    const [one, bobs, two, alsoBobs] = await Promise.all(members.map(got))
    t.equal((one?.length as number) + (two?.length as number), 50)
    t.strictSame([bobs, alsoBobs], [[], []])
    const seen = await got(open)
    t.equal(seen.length, 50)
    t.ok(seen.every((line) => line.startsWith('1 ann.work.x ')))
  })

  t.test(`${name}: retained messages are those of the mountpoint`, async (t) => {
    const host = await startTenants(t, create, { retained: true })
    const device = await connectMqtt(t, host.mqttUrl)
    for (const topic of ['ann/state', 'bob/state', 'state', 'ann/$x']) await device.publish(topic, topic, { qos: 1, retain: true })
    const [ann, bob] = await pair(t, host.natsPort)
    ann.send(hpub('note', 'Nmqtt-Retain: true', 'from NATS'))
    await ann.fence()
    const sids = '1 > 2 * 3 state 4 $x 5 note 6 ann.state'.split(/ (?=\d)/)
    for (const [client, expected] of [
      [ann, ['1 $x ann/$x', '1 note from NATS', '1 state ann/state', '2 $x ann/$x', '2 note from NATS', '2 state ann/state', '3 state ann/state', '4 $x ann/$x', '5 note from NATS']],
      [bob, ['1 state bob/state', '2 state bob/state', '3 state bob/state']]
    ] as const) {
      client.send(sids.map((row) => row.split(' ')).map(([sid, filter]) => `SUB ${filter} ${sid}\r\n`).join(''))
      t.strictSame(await got(client), expected)
    }
    const open = await connect(t, host.openPort)
    open.send('SUB > 1\r\n')
    t.strictSame(await got(open), ['1 ann.$x ann/$x', '1 ann.note from NATS', '1 ann.state ann/state', '1 bob.state bob/state', '1 state state'])
    bob.send(hpub('state', 'Nmqtt-Retain: true', ''))
    await bob.fence()
    const late = await connect(t, host.natsPort, { user: 'ann' })
    late.send('SUB state 1\r\n')
    t.strictSame(await got(late), ['1 state ann/state'], 'another tenant cannot clear it')
  })

  t.test(`${name}: hooks see topics with the mountpoint, clients subjects without it`, async (t) => {
    const host = await startTenants(t, create)
    const hooks = host.broker as unknown as HostHooks
    const seen: string[] = []
    hooks.authorizePublish = (client, packet, callback) => {
      if (client !== null) seen.push(`publish ${packet.topic} ${packet.properties?.responseTopic ?? '-'}`)
      callback(packet.topic.endsWith('/secret') ? new Error('no') : null)
    }
    hooks.authorizeSubscribe = (_client, subscription, callback) => {
      seen.push(`subscribe ${subscription.topic}`)
      callback(null, subscription.topic.endsWith('/secret') ? null : subscription)
    }
    hooks.authorizeForward = (_client, packet) => {
      seen.push(`forward ${packet.topic}`)
      return packet
    }
    hooks.published = (packet, client, callback) => {
      if (client !== null) seen.push(`published ${packet.topic}`)
      callback()
    }
    host.broker.on('subscribe', (subscriptions) => { seen.push(`subscribed ${subscriptions.map(({ topic }) => topic).join()}`) })
    host.broker.on('unsubscribe', (topics) => { seen.push(`unsubscribed ${topics.join()}`) })
    host.broker.on('publish', (packet, client) => { if (client !== null) seen.push(`event ${packet.topic}`) })
    const ann = await connect(t, host.natsPort, { user: 'ann' })
    const sees = async (sent: string, answer: string, ...expected: string[]): Promise<void> => {
      ann.send(sent)
      t.equal(await ann.fence(), answer, sent)
      t.strictSame(seen.splice(0), expected, sent)
    }
    await sees('SUB foo.> 1\r\n', '', 'subscribe ann/foo/#', 'subscribed ann/foo/#')
    await sees('SUB x/y 2\r\n', '', 'subscribe ann/$NATS/x%2Fy', 'subscribed ann/$NATS/x%2Fy')
    await sees(pub('foo.a', 'x', '_INBOX.1'), 'MSG foo.a 1 _INBOX.1 1\r\nx\r\n', 'publish ann/foo/a ann/_INBOX/1', 'forward ann/foo/a', 'published ann/foo/a', 'event ann/foo/a')
    await sees(pub('x/y', 'x'), 'MSG x/y 2 1\r\nx\r\n', 'publish ann/$NATS/x%2Fy -', 'forward ann/$NATS/x%2Fy', 'published ann/$NATS/x%2Fy', 'event ann/$NATS/x%2Fy')
    await sees(hpub('foo.b', 'Nmqtt-QoS: 1', 'x'), 'HMSG foo.b 1 26 27\r\nNATS/1.0\r\nNmqtt-QoS: 1\r\n\r\nx\r\n', 'publish ann/foo/b -', 'published ann/foo/b', 'forward ann/foo/b', 'event ann/foo/b')
    await sees(pub('foo.secret'), "-ERR 'Permissions Violation for Publish to \"foo.secret\"'\r\n", 'publish ann/foo/secret -')
    await sees('SUB secret 3\r\n', "-ERR 'Permissions Violation for Subscription to \"secret\"'\r\n", 'subscribe ann/secret')
    await sees('SUB secret q 3\r\n', "-ERR 'Permissions Violation for Subscription to \"secret\" using queue \"q\"'\r\n", 'subscribe ann/secret')
    await sees('UNSUB 1\r\n', '', 'unsubscribed ann/foo/#')
  })

  t.test(`${name}: hooks move subscriptions and publishes within the mountpoint only`, async (t) => {
    const host = await startTenants(t, create)
    const hooks = host.broker as unknown as HostHooks
    const moves: Record<string, string> = { 'ann/in': 'ann/x', 'ann/out': 'bob/x', 'ann/up': '#', 'ann/plus': '+/x', 'ann/bare': 'x', 'ann/all': 'ann/#', 'ann/empty': 'ann/' }
    hooks.authorizeSubscribe = (_client, subscription, callback) => {
      const { topic, ...others } = subscription
      callback(null, { ...others, topic: moves[topic] ?? topic } as HostSubscription)
    }
    hooks.authorizePublish = (_client, packet, callback) => {
      packet.topic = moves[packet.topic] ?? packet.topic
      callback(null)
    }
    hooks.authorizeForward = (_client, packet) => {
      // As hosts do whose clients know nothing of tenants.
      if (packet.topic === 'ann/x') packet.topic = 'x'
      return packet
    }
    const [ann, bob] = await pair(t, host.natsPort)
    const device = await connectMqtt(t, host.mqttUrl)
    await device.subscribe('#')
    bob.send('SUB > 1\r\n')
    await bob.fence()
    for (const subject of ['out', 'up', 'plus', 'bare', 'empty']) {
      ann.send(`SUB ${subject} ${subject}\r\n`)
      t.equal(await ann.fence(), `-ERR 'Permissions Violation for Subscription to "${subject}"'\r\n`, subject)
    }
    ann.send('SUB in 1\r\nSUB all 2\r\n' + pub('x', 'moved'))
    t.strictSame(await got(ann), ['1 x moved', '2 x moved'])
    t.equal((await device.take())[0]?.topic, 'x')
    ann.send('UNSUB 2\r\n' + pub('in', 'inside'))
    t.strictSame(await got(ann), ['1 x inside'])
    t.equal((await device.take())[0]?.topic, 'x')
    for (const subject of ['out', 'bare', 'empty']) {
      ann.send(`SUB > 4\r\n${pub(subject, 'gone')}`)
      t.equal(await ann.fence(), `-ERR 'Permissions Violation for Publish to "${subject}"'\r\n`, subject)
    }
    t.strictSame(await got(bob), [])
    await device.publish('end', '')
    t.equal((await device.take())[0]?.topic, 'end')
  })

  t.test(`${name}: a client without a mountpoint sees all tenants, and answers them`, async (t) => {
    const host = await startTenants(t, create)
    const [ann, bob] = await pair(t, host.natsPort)
    const open = await connect(t, host.openPort)
    open.send('SUB *.foo 1\r\nSUB > 2\r\n')
    await open.fence()
    ann.send(pub('foo', 'x', '_INBOX.1') + pub('a/b', 'NATS-only') + pub('foo', 'y', 'a/b'))
    bob.send(hpub('foo', 'K: v', 'z'))
    await Promise.all([ann.fence(), bob.fence()])
    t.strictSame(await got(open), ['1 ann.foo ann._INBOX.1 x', '1 ann.foo y', '1 bob.foo z', '2 ann.foo ann._INBOX.1 x', '2 ann.foo y', '2 bob.foo z'])
    ann.send('SUB > 1\r\n')
    await ann.fence()
    open.send(pub('ann.hello', '1', 'ann.answer') + pub('ann.hello', '2', 'bob.answer') + pub('ann.hello', '3', 'answer'))
    open.send(pub('bob.hello', '4') + pub('ann.a/b', '5') + pub('ann', '6') + pub('hello', '7'))
    await open.fence()
    t.strictSame(await got(ann), ['1 hello 2', '1 hello 3', '1 hello answer 1'], 'a reply that is not below the mountpoint has no name there')
    const service = await library(t, host.openPort)
    service.subscribe('*.svc', { callback: (_error, message) => { message.respond(`${message.subject} ${message.string()}`) } })
    await service.flush()
    for (const user of ['ann', 'bob', 'a.b c']) {
      const client = await library(t, host.natsPort, user)
      t.equal((await client.request('svc', 'x')).string(), `${user.replace('.', '//').replace(' ', '/20')}.svc x`)
    }
  })
}
