import fc from 'fast-check'
import t from 'tap'
import type { Facade } from '../../lib/broker/facade.ts'
import type { HostHooks, HostSubscription } from '../../lib/broker/host.ts'
import { createGateway, type GatewayOptions } from '../../lib/index.ts'
import { encodeText } from '../../lib/wire/text.ts'
import { startBroker, startHost, versions } from '../helper/brokers.ts'
import { connectMqtt } from '../helper/mqtt.ts'
import { connect } from '../helper/raw.ts'
import { got, hpub, kept, library, pub, tenants } from './tenants.ts'

const iot = { mapping: { 'iot.': '' } }
const plants = { mapping: { 'factory.': 'plant/7/', 'office.': 'plant/8/' } }

for (const { name, mqtt5, create } of versions) {
  t.test(`${name}: subjects and topics as the option mapping says`, async (t) => {
    const rows: [nats: GatewayOptions, subject: string, topic: string][] = [
      [iot, 'iot.sensor.data.temperature', 'sensor/data/temperature'],
      [iot, 'iot.iot.x', 'iot/x'],
      [iot, '_INBOX.x.y', '_INBOX/x/y'],
      [plants, 'factory.a.b', 'plant/7/a/b'],
      [plants, 'office./.a//b', 'plant/8//a.b'],
      [plants, 'factory', 'factory'],
      [plants, 'plant.7', 'plant/7'],
      [plants, 'plant.9.x', 'plant/9/x'],
      [{ mapping: { 'a.': 'x/', 'a.b.': 'y/' } }, 'a.b.c', 'y/c'],
      [{ mapping: { 'a.': 'x/', 'a.b.': 'y/' } }, 'a.c', 'x/c'],
      [{ mapping: { 'a.': 'x/', 'a.b.': 'y/' } }, 'a.b', 'x/b'],
      [{ mapping: { '': 'nats/' } }, 'foo.bar', 'nats/foo/bar'],
      [{ ...plants, mappingOnly: true }, 'factory.a', 'plant/7/a'],
      [{ mapping: { 'é.': 'ü x/' } }, 'é.ö', 'ü x/ö'],
      [{ ...plants, mountpoint: 'm/' }, 'factory.a', 'm/plant/7/a'],
      [{ ...plants, mountpoint: 'm/' }, 'b.a', 'm/b/a'],
      [{ ...iot, mountpoint: 'm/' }, 'iot.a', 'm/a']
    ]
    for (const [nats, text, topic] of rows) {
      const host = await startHost(t, { create, nats })
      const subject = encodeText(text)
      const device = await connectMqtt(t, host.mqttUrl)
      await device.subscribe('#')
      const client = await connect(t, host.natsPort)
      client.send(`SUB ${subject} 1\r\nSUB > 2\r\n${pub(subject, 'from NATS')}`)
      const title = `${text} with ${JSON.stringify(nats)}`
      t.strictSame(await got(client), [`1 ${subject} from NATS`, `2 ${subject} from NATS`], title)
      t.equal((await device.take())[0]?.topic, topic, title)
      await device.publish(topic, 'from MQTT')
      await device.take()
      t.strictSame(await got(client), [`1 ${subject} from MQTT`, `2 ${subject} from MQTT`], title)
      client.send('UNSUB 1\r\nUNSUB 2\r\n')
      await client.fence()
      t.strictSame(kept(host).topicFilters, [])
    }
  })

  t.test(`${name}: what no pair covers is as it was, or NATS-only`, async (t) => {
    const rows: [nats: GatewayOptions, subjects: string[], topics: string[]][] = [
      [iot, ['sensor.data', 'iot', 'foo.x', '$SYS.x'], []],
      [plants, ['plant.7.a', 'plant.8.a.b'], ['factory/a', 'office/a/b']],
      [{ ...plants, mappingOnly: true }, ['foo', 'plant.7.a', 'factory'], ['foo', 'plant/7', 'factory/x', 'plant/7/']],
      [{ mappingOnly: true }, ['foo', '_INBOX.x'], ['foo', 'a/b']]
    ]
    for (const [nats, subjects, topics] of rows) {
      const host = await startHost(t, { create, nats })
      const hooks = host.broker as unknown as HostHooks
      const seen: string[] = []
      const device = await connectMqtt(t, host.mqttUrl)
      await device.subscribe('#')
      const [client, other] = [await connect(t, host.natsPort), await connect(t, host.natsPort, { verbose: false })]
      other.send('SUB > 1\r\n')
      await other.fence()
      for (const topic of topics) await device.publish(topic, topic)
      await device.take(topics.length)
      t.strictSame(await got(other), [], 'those topics have no subject')
      for (const subject of subjects) client.send(pub(subject, 'x', 'reply') + hpub(subject, 'Nmqtt-QoS: 1', 'y'))
      t.equal(await client.fence(), '', 'they are fine')
      t.strictSame((await got(other)).length, subjects.length * 2)
      hooks.authorizePublish = (_client, packet, callback) => {
        seen.push(packet.topic)
        callback(null)
      }
      for (const subject of subjects) client.send(pub(subject, 'z'))
      await client.fence()
      t.strictSame(seen, subjects.map((subject) => `$NATS/${subject.replaceAll('$', '%24')}`))
      await device.publish('$x', '')
      await device.publish('end', '')
      t.equal((await device.take())[0]?.topic, 'end', 'nothing has come from NATS')
    }
  })

  t.test(`${name}: wildcards over several prefixes get everything, once`, async (t) => {
    const host = await startHost(t, { create, nats: { ...plants, retained: true } })
    const device = await connectMqtt(t, host.mqttUrl)
    const rows: [topic: string, subject: string][] = [
      ['plant/7/sensor', 'factory.sensor'], ['plant/8/sensor', 'office.sensor'], ['hall/sensor', 'hall.sensor'], ['plant/sensor', 'plant.sensor'],
      ['plant/9/sensor', 'plant.9.sensor'], ['plant/7', 'plant.7'], ['sensor', 'sensor'], ['plant/7/sensor/x', 'factory.sensor.x']
    ]
    const matching: Record<string, string[]> = {
      '>': rows.map(([, subject]) => subject),
      '*.sensor': ['factory.sensor', 'office.sensor', 'hall.sensor', 'plant.sensor'],
      '*.>': rows.map(([, subject]) => subject).filter((subject) => subject !== 'sensor'),
      '*.*': ['factory.sensor', 'office.sensor', 'hall.sensor', 'plant.sensor', 'plant.7'],
      'factory.*': ['factory.sensor'],
      'plant.>': ['plant.sensor', 'plant.9.sensor', 'plant.7'],
      'plant.*.sensor': ['plant.9.sensor']
    }
    const subs = Object.keys(matching).map((filter) => `SUB ${filter} ${filter}\r\n`).join('')
    const expected = (payload: (subject: string) => string): string[] => Object.entries(matching)
      .flatMap(([filter, subjects]) => subjects.map((subject) => `${filter} ${subject} ${payload(subject)}`)).sort()
    const client = await connect(t, host.natsPort)
    client.send(subs)
    await client.fence()
    for (const [topic] of rows) await device.publish(topic, 'x', { qos: 0 })
    await device.publish('plant/8/last', '', { qos: 1 })
    const live = (await got(client)).filter((line) => !line.includes('last'))
    t.strictSame(live, expected(() => 'x'), 'live')
    for (const [topic] of rows) await device.publish(topic, topic, { qos: 1, retain: true })
    const late = await connect(t, host.natsPort)
    late.send(subs)
    t.strictSame(await got(late), expected((subject) => rows.find((row) => row[1] === subject)?.[0] ?? ''), 'retained')
    late.send(Object.keys(matching).map((filter) => `UNSUB ${filter}\r\n`).join(''))
    client.send(Object.keys(matching).map((filter) => `UNSUB ${filter}\r\n`).join(''))
    await Promise.all([late.fence(), client.fence()])
    t.strictSame(kept(host).topicFilters, [])
  })

  t.test(`${name}: hooks see the topics, each filter that a subscription stands for`, async (t) => {
    const host = await startHost(t, { create, nats: { ...tenants, ...plants } })
    const hooks = host.broker as unknown as HostHooks
    const seen: string[] = []
    let answer = (subscription: HostSubscription): HostSubscription | null => subscription
    hooks.authorizeSubscribe = (_client, subscription, callback) => {
      seen.push(`may ${subscription.topic}`)
      callback(null, answer(subscription))
    }
    hooks.authorizeForward = (_client, packet) => {
      seen.push(`forward ${packet.topic}`)
      return packet
    }
    hooks.authorizePublish = (_client, packet, callback) => {
      seen.push(`publish ${packet.topic} ${packet.properties?.responseTopic ?? '-'}`)
      callback(null)
    }
    host.broker.on('subscribe', (subscriptions) => { seen.push(`subscribed ${subscriptions.map(({ topic }) => topic).join()}`) })
    host.broker.on('unsubscribe', (topics) => { seen.push(`unsubscribed ${topics.join()}`) })
    const client = await connect(t, host.natsPort, { user: 'ann' })
    const sees = async (sent: string, answered: string, ...expected: string[]): Promise<void> => {
      client.send(sent)
      t.equal(await client.fence(), answered, sent)
      t.strictSame(seen.splice(0), expected, sent)
    }
    const all = ['ann/plant/7/x', 'ann/plant/8/x', 'ann/+/x']
    await sees('SUB *.x 1\r\n', '', ...all.map((topic) => `may ${topic}`), `subscribed ${all.join()}`)
    await sees(pub('factory.x', 'y', 'office.z'), 'MSG factory.x 1 office.z 1\r\ny\r\n', 'publish ann/plant/7/x ann/plant/8/z', 'forward ann/plant/7/x')
    await sees('UNSUB 1\r\n', '', `unsubscribed ${all.join()}`)
    await sees('SUB plant.7.x 2\r\n', '', 'may ann/$NATS/plant.7.x', 'subscribed ann/$NATS/plant.7.x')
    const denied = (subject: string): string => `-ERR 'Permissions Violation for Subscription to "${subject}"'\r\n`
    answer = (subscription) => subscription.topic.includes('/8/') ? null : subscription
    await sees('SUB *.x 3\r\n', denied('*.x'), 'may ann/plant/7/x', 'may ann/plant/8/x')
    answer = (subscription) => ({ ...subscription, topic: subscription.topic.replace('/x', '/y') })
    await sees('SUB *.x 4\r\n', denied('*.x'), 'may ann/plant/7/x')
    await sees('SUB factory.x 5\r\n', '', 'may ann/plant/7/x', 'subscribed ann/plant/7/y')
    await sees(pub('factory.y', '6'), 'MSG factory.y 5 1\r\n6\r\n', 'publish ann/plant/7/y -', 'forward ann/plant/7/y')
    answer = (subscription) => ({ ...subscription, topic: 'ann/factory/x' })
    await sees('SUB factory.x 7\r\n', denied('factory.x'), 'may ann/plant/7/x')

    answer = (subscription) => subscription
    await sees('SUB *.w 8\r\n', '', 'may ann/plant/7/w', 'may ann/plant/8/w', 'may ann/+/w', 'subscribed ann/plant/7/w,ann/plant/8/w,ann/+/w')
    const [facade] = Object.values((host.broker as unknown as { clients: Record<string, Facade> }).clients)
    t.strictSame(Object.keys(facade?.subscriptions ?? {}), ['ann/$NATS/plant.7.x', 'ann/plant/7/y', 'ann/plant/7/w', 'ann/plant/8/w', 'ann/+/w'])
    await new Promise((resolve) => { facade?.unsubscribe('ann/plant/8/w', resolve) })
    t.strictSame(seen.splice(0), ['unsubscribed ann/plant/7/w,ann/plant/8/w,ann/+/w'])
  })

  t.test(`${name}: $SYS stays reserved under any name`, async (t) => {
    const host = await startHost(t, { create, nats: { mapping: { 'sys.': '$SYS/', 'iot.': 'x/' } } })
    const client = await connect(t, host.natsPort)
    client.send('SUB > 1\r\nSUB *.y 2\r\nSUB sys.y 3\r\n')
    await client.fence()
    for (const [i, subject] of ['sys.y', 'sys.y'].entries()) {
      client.send(pub(subject, String(i)))
      t.equal(await client.fence(), '-ERR \'Permissions Violation for Publish to "sys.y"\'\r\n')
    }
    const { publish } = host.broker as unknown as { publish (packet: object, callback: (error: Error | null) => void): void }
    await new Promise((resolve) => { publish.call(host.broker, { topic: '$SYS/y', payload: 'x', qos: 0, retain: false }, resolve) })
    t.strictSame(await got(client), ['3 sys.y x'], 'who names it may hear it')
  })

  t.test(`${name}: requests under a mapping`, async (t) => {
    const host = await startHost(t, { create, nats: { ...iot, replies: { 'devices/+/cmd': 'devices/+/reply' } } })
    const nats = await library(t, host.natsPort)
    await t.rejects(nats.request('iot.nobody'), { message: /no responders/ })
    await t.rejects(nats.request('only.nats'), { message: /no responders/ })
    const old = await connectMqtt(t, host.mqttUrl)
    await old.subscribe('devices/1/cmd')
    old.client.on('message', () => { old.client.publish('devices/1/reply', 'done') })
    t.equal((await nats.request('iot.devices.1.cmd')).string(), 'done')
    await t.rejects(nats.request('devices.1.cmd'), { message: /no responders/ }, 'a device does not listen to what is NATS-only')
    nats.subscribe('only.nats', { callback: (_error, message) => { message.respond('NATS-only') } })
    t.equal((await nats.request('only.nats')).string(), 'NATS-only')
    if (!mqtt5) return
    const device = await connectMqtt(t, host.mqttUrl, { protocolVersion: 5 })
    await device.subscribe(['lamp', 'answers'])
    device.client.on('message', (topic, payload, { properties }) => {
      if (topic === 'lamp') device.client.publish(properties?.responseTopic ?? '', `lamp ${payload.toString()}`)
    })
    t.equal((await nats.request('iot.lamp', 'on')).string(), 'lamp on', 'inboxes keep their topics')
    await device.take()
    nats.subscribe('iot.ask', { callback: (_error, message) => { message.respond(message.reply) } })
    await nats.flush()
    await device.publish('ask', '', { qos: 1, properties: { responseTopic: 'answers', correlationData: Buffer.from('c') } })
    const [answer] = await device.take()
    t.equal(answer?.payload.toString(), '_MQTT_REPLY.Yw.iot.answers')
    t.same(answer?.properties?.['correlationData'], Buffer.from('c'))
  })

  const mappings: GatewayOptions[] = [
    iot, plants, { ...iot, mountpoint: 'a/' }, { ...plants, mappingOnly: true },
    { mapping: { 'a.': 'b/', 'b.': 'a/', 'a.a.': 'c/', 'c.': 'x/' } }, { mapping: { '': 'b/', '_INBOX.': 'i/' } }, {}
  ]
  t.test(`${name}: what crosses comes back under the name that it left with`, async (t) => {
    const token = fc.constantFrom('a', 'b', 'c', 'iot', 'factory', 'office', 'plant', '7', '8', '_INBOX', '/', '//', 'x/20y', '/2A', '\xc3\xa9', 'a/', '\xc3', 'x+')
    const someSubjects = fc.sample(fc.array(token, { minLength: 1, maxLength: 4 }).map((tokens) => tokens.join('.')), 200)
    const level = fc.constantFrom('a', 'b', 'c', 'iot', 'factory', 'plant', '7', '8', '_INBOX', '', 'é', '.', 'v1.0', 'x y', '*', '>', '\x7f', '€😀')
    const someTopics = fc.sample(fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/')).filter((topic) => topic !== ''), 200)
    for (const nats of mappings) {
      const { mapping = {}, mountpoint = '' } = nats
      // Half of them below the prefixes.
      const subjects = [...new Set(['', ...Object.keys(mapping)].flatMap((prefix) => someSubjects.map((subject) => prefix + subject)))]
      const topics = [...new Set(['', ...Object.values(mapping)].flatMap((prefix) => someTopics.map((topic) => mountpoint + prefix + topic)))]
      const host = await startHost(t, { create, nats })
      const device = await connectMqtt(t, host.mqttUrl)
      await device.subscribe('#', { qos: 0 })
      const [publisher, client] = [await connect(t, host.natsPort), await connect(t, host.natsPort)]
      client.send('SUB > 1\r\n')
      await client.fence()
      const cross = async (sent: readonly string[]): Promise<Map<string, string>> => {
        publisher.send(sent.map((subject, i) => pub(subject, String(i))).join(''))
        await publisher.fence()
        await device.publish('the end', '', { qos: 0 })
        t.equal((await got(client)).filter((line) => /\d$/.test(line)).length, sent.length, 'NATS clients have them all')
        const crossed = new Map<string, string>()
        for (;;) {
          const [message] = await device.take()
          if (message === undefined || message.topic === 'the end') return crossed
          t.notOk(crossed.has(message.topic), 'no two subjects share a topic')
          crossed.set(message.topic, sent[Number(message.payload.toString())] as string)
        }
      }
      const back = async (sent: readonly string[]): Promise<Map<string, string>> => {
        await Promise.all(sent.map(async (topic, i) => { await device.publish(topic, String(i), { qos: 0 }) }))
        await device.take(sent.length)
        const crossed = new Map<string, string>()
        for (const line of await got(client)) {
          const [, subject, i] = line.split(' ') as [string, string, string]
          if (i !== '') crossed.set(subject, sent[Number(i)] as string)
        }
        return crossed
      }
      const there = await cross(subjects)
      t.ok(there.size > 20, `${there.size} of ${subjects.length} subjects have a topic with ${JSON.stringify(nats)}`)
      t.strictSame(await back([...there.keys()]), new Map([...there].map(([topic, subject]) => [subject, topic])))
      const from = await back(topics)
      t.ok(from.size > 20, `${from.size} of ${topics.length} topics have a subject`)
      t.strictSame(await cross([...from.keys()]), new Map([...from].map(([subject, topic]) => [topic, subject])))
    }
  })
}

t.test('pairs that are in each other\'s way are refused before anything is touched', async (t) => {
  const { broker } = await startBroker(t)
  const before = Object.getOwnPropertyNames(broker)
  const { publish, authorizePublish } = broker as unknown as Record<string, unknown>
  const allowed = 'allowed is pairs of a subject prefix that ends with . and a topic prefix that ends with /, either may be empty, which lead no two subjects to one topic'
  const rows: [mapping: Record<string, string>, wrong: string][] = [
    [{ 'iot.': '', 'factory.': 'plant/7/' }, "wrong, 'iot.' and 'factory.' both lead to topics that begin with 'plant/7/'"],
    [{ 'a.': 'x/', 'b.': 'x/' }, "wrong, 'a.' and 'b.' both lead to topics that begin with 'x/'"],
    [{ iot: '' }, "wrong, 'iot' is no subject prefix: it must be '' or end with '.', and its tokens must be those of a topic"],
    [{ 'iot.': 'x' }, "wrong, 'x', which 'iot.' leads to, is no topic prefix: it must be '' or end with '/', without '+', '#' and NUL"]
  ]
  for (const [mapping, wrong] of rows) {
    await t.rejects(createGateway(broker as never, { port: 0, host: '127.0.0.1', mapping }), { code: 'NATS_ERR_OPTION', message: `option 'mapping' is ${wrong}: ${allowed}` })
  }
  await t.rejects(createGateway(broker as never, { mapping: { 'iot.': 5 as unknown as string } }), { message: "option 'mapping' is an object: allowed is an object of strings" })
  t.strictSame(Object.getOwnPropertyNames(broker), before)
  t.equal(broker.publish, publish)
  t.equal(broker.authorizePublish, authorizePublish)
})
