import t, { type Test } from 'tap'
import type { AnyAedes, versions } from '../helper/brokers.ts'
import { connectMqtt } from '../helper/mqtt.ts'
import { connectNats } from '../helper/nats.ts'
import { startRedis } from '../helper/processes.ts'
import { crossings, type Ground, inMemory, onRedis, speaking } from './grounds.ts'

// Who gets what by which filter: each side follows its own rules, on the names of its own.

/** Filters of NATS, and the same ones of MQTT. */
const filters: readonly (readonly [nats: string, mqtt: string])[] = [
  ['>', '#'], ['*', '+'], ['*.*', '+/+'], ['*.bar', '+/bar'], ['*.y', '+/y'], ['*.a', '+/a'],
  ['foo', 'foo'], ['foo.>', 'foo/#'], ['foo.*', 'foo/+'], ['foo.*.>', 'foo/+/#'],
  ['a', 'a'], ['a.>', 'a/#'], ['a.*', 'a/+'], ['a./', 'a/'], ['a./.b', 'a//b'], ['a.*.b', 'a/+/b'],
  ['/.a', '/a'], ['/.>', '/#'], ['/.*', '/+'], ['/./', '/'],
  ['$x', '$x'], ['$x.>', '$x/#'], ['$x.y', '$x/y'], ['$x.*', '$x/+']
]

interface Name {
  readonly topic: string
  readonly subject: string
  /** The filters, as of NATS, by which NATS and MQTT clients get it, whoever published it. */
  readonly both: readonly string[]
  /** Those by which only MQTT clients get it. */
  readonly onlyMqtt?: readonly string[]
  /** Those by which only NATS clients get it, and only if a NATS client published it. */
  readonly onlyOfNats?: readonly string[]
}

const names: readonly Name[] = [
  { topic: 'foo', subject: 'foo', both: ['>', '*', 'foo'], onlyMqtt: ['foo.>'] },
  { topic: 'foo/bar', subject: 'foo.bar', both: ['>', '*.*', '*.bar', 'foo.>', 'foo.*'], onlyMqtt: ['foo.*.>'] },
  { topic: 'foo/bar/baz', subject: 'foo.bar.baz', both: ['>', 'foo.>', 'foo.*.>'] },
  { topic: 'foo/', subject: 'foo./', both: ['>', '*.*', 'foo.>', 'foo.*'], onlyMqtt: ['foo.*.>'] },
  { topic: 'a', subject: 'a', both: ['>', '*', 'a'], onlyMqtt: ['a.>'] },
  { topic: 'a/', subject: 'a./', both: ['>', '*.*', 'a.>', 'a.*', 'a./'] },
  { topic: 'a//b', subject: 'a./.b', both: ['>', 'a.>', 'a./.b', 'a.*.b'] },
  { topic: 'a/x/b', subject: 'a.x.b', both: ['>', 'a.>', 'a.*.b'] },
  { topic: '/a', subject: '/.a', both: ['>', '*.*', '*.a', '/.a', '/.>', '/.*'] },
  { topic: '/', subject: '/./', both: ['>', '*.*', '/.>', '/.*', '/./'] },
  { topic: '//', subject: '/././', both: ['>', '/.>'] },
  { topic: '$x', subject: '$x', both: ['$x'], onlyMqtt: ['$x.>'], onlyOfNats: ['>', '*'] },
  { topic: '$x/y', subject: '$x.y', both: ['$x.>', '$x.y', '$x.*'], onlyOfNats: ['>', '*.*', '*.y'] },
  { topic: '$x/y/z', subject: '$x.y.z', both: ['$x.>'], onlyOfNats: ['>'] },
  { topic: 'x/$y', subject: 'x.$y', both: ['>', '*.*'] }
]

function publishAsHost (broker: AnyAedes, topic: string, payload: string): Promise<void> {
  return new Promise((resolve, reject) => {
    broker.publish({ cmd: 'publish', topic, payload: Buffer.from(payload), qos: 0, retain: false, dup: false }, (error) => { if (error) reject(error); else resolve() })
  })
}

/** What arrived, by the name of the message: the filters by which it did, as of NATS, in the order of the table. */
function sorted (arrivals: readonly { name: string, filter: string }[]): Record<string, string[]> {
  const byName: Record<string, string[]> = {}
  for (const [filter] of filters) {
    for (const arrival of arrivals) {
      if (arrival.filter === filter) (byName[arrival.name] ??= []).push(filter)
    }
  }
  return byName
}

function wanted (nameOf: (name: Name) => string, filtersOf: (name: Name) => readonly (readonly string[] | undefined)[]): Record<string, string[]> {
  return sorted(names.flatMap((name) => filtersOf(name).flatMap((some = []) => some.map((filter) => ({ name: nameOf(name), filter })))))
}

async function checkFilters (t: Test, ground: Ground, protocolVersion: 3 | 4 | 5): Promise<void> {
  const nats = await connectNats(t, ground.natsUrl)
  for (const [filter] of filters) await nats.subscribe(filter)
  await nats.subscribe('the.end')
  // One client for each filter: MQTT clients do not say by which filter they got a message.
  const listeners = await Promise.all(filters.map(async ([filter, topicFilter]) => {
    const peer = await connectMqtt(t, ground.mqttUrl, speaking(protocolVersion))
    await peer.subscribe([topicFilter, 'the/end'])
    return { filter, peer }
  }))
  const publisher = await connectMqtt(t, ground.mqttUrl, speaking(protocolVersion))
  const natsPublisher = await connectNats(t, ground.natsUrl)

  const senders: Record<string, (name: Name) => Promise<void>> = {
    'an MQTT client': ({ topic }) => publisher.publish(topic, '', { qos: 0 }),
    'the host': ({ topic }) => publishAsHost(ground.mqttBroker, topic, ''),
    'a NATS client': ({ subject }) => natsPublisher.publish(subject)
  }
  for (const [sender, send] of Object.entries(senders)) {
    for (const name of names) await send(name)
    await send({ topic: 'the/end', subject: 'the.end', both: [] })
    const arrivedAtNats = (await nats.takeUntil('the.end')).map(({ by, subject }) => ({ name: subject, filter: by }))
    const arrivedAtMqtt = await Promise.all(listeners.map(async ({ filter, peer }) => (await peer.takeUntil('the/end')).map(({ topic }) => ({ name: topic, filter }))))
    t.strictSame(sorted(arrivedAtNats), wanted(({ subject }) => subject, ({ both, onlyOfNats }) => [both, sender === 'a NATS client' ? onlyOfNats : []]), `${sender} to NATS`)
    t.strictSame(sorted(arrivedAtMqtt.flat()), wanted(({ topic }) => topic, ({ both, onlyMqtt }) => [both, onlyMqtt]), `${sender} to MQTT`)
  }
}

/** $SYS is the host's alone, and no wildcard shows it. */
async function checkSystemTopics (t: Test, ground: Ground): Promise<void> {
  const nats = await connectNats(t, ground.natsUrl)
  for (const filter of ['>', '*.*.*', '*.here.>', '$SYS.>', '$SYS.*.load', '$SYS.here.load', 'the.end']) await nats.subscribe(filter)
  const listeners = await Promise.all(['#', '+/+/+', '$SYS/+/load', '$SYS/here/load'].map(async (filter) => {
    const peer = await connectMqtt(t, ground.mqttUrl)
    await peer.subscribe([filter, 'the/end'])
    return peer
  }))
  const refused = await connectNats(t, ground.natsUrl)
  await refused.publish('$SYS.here.load', 'forged')
  await publishAsHost(ground.mqttBroker, '$SYS/here/load', '1')
  await publishAsHost(ground.mqttBroker, 'the/end', '')
  const got = (await nats.takeUntil('the.end')).filter(({ subject }) => subject === '$SYS.here.load')
  t.strictSame(got.map(({ by, text }) => [by, text]).sort(), [['$SYS.*.load', '1'], ['$SYS.>', '1'], ['$SYS.here.load', '1']])
  const texts = await Promise.all(listeners.map(async (peer) => (await peer.takeUntil('the/end')).map(({ payload }) => payload.toString())))
  t.strictSame(texts, [[], [], ['1'], ['1']])
}

t.test('filters', async (t) => {
  const redis = await startRedis(t)
  for (const { title, create, protocolVersion } of crossings) {
    t.test(`${title}: filters, in memory`, async (t) => { await checkFilters(t, await inMemory(t, create), protocolVersion) })
    // Between the nodes the version of MQTT makes no difference.
    if (protocolVersion !== 4) continue
    t.test(`${title}: filters, over Redis`, async (t) => { await checkFilters(t, await onRedis(t, redis.port, create), protocolVersion) })
    for (const [name, start] of [['in memory', inMemory], ['over Redis', (t: Test, create: typeof versions[number]['create']) => onRedis(t, redis.port, create)]] as const) {
      t.test(`${title}: $SYS is what the host says there, ${name}`, async (t) => { await checkSystemTopics(t, await start(t, create)) })
    }
  }
})
