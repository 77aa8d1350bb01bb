import t, { type Test } from 'tap'
import { connectMqtt } from '../helper/mqtt.ts'
import { connectNats } from '../helper/nats.ts'
import { startRedis } from '../helper/processes.ts'
import { connect } from '../helper/raw.ts'
import { crossings, type Ground, inMemory, onRedis, speaking } from './grounds.ts'

// Names that one side or the other writes in another way.

/** Levels of topics, and the tokens that stand for them on the NATS wire. */
const levels: readonly (readonly [level: string, token: string])[] = [
  ['v1.0', 'v1//0'], ['.', '//'], ['.a.', '//a//'], ['..', '////'],
  ['two words', 'two/20words'], [' ', '/20'], ['\t', '/09'], ['\r\n', '/0D/0A'], ['\x01', '/01'], ['\x7f', '/7F'],
  ['*', '/2A'], ['>', '/3E'], ['a*', 'a*'], ['>a', '>a'], ['**', '**'], ['a>b', 'a>b'],
  ['ä', 'ä'], ['日本語', '日本語'], ['🌡', '🌡'], ['a\u00a0b', 'a\u00a0b'], ['\u00a0', '\u00a0'], ['\u2028', '\u2028'], ['\u0085', '\u0085'],
  ['b\ufeffom', 'b\ufeffom'],
  ['s[1]', 's[1]'], ['s[^1]', 's[^1]'], ['?', '?'], ['w?', 'w?'], ['g*', 'g*'], ['back\\slash', 'back\\slash'], ['{a,b}', '{a,b}'], ['h[a-z]*', 'h[a-z]*'],
  ['$in', '$in'], ['%2F', '%2F'], ['-_~!&|;', '-_~!&|;'], ['"', '"'], ['constructor', 'constructor']
]

/** What nats.js would read as another name: it drops a byte order mark that a subject begins with. */
const bom: readonly [level: string, token: string] = ['\ufeffx', '\ufeffx']

function latin1 (text: string): string {
  return Buffer.from(text).toString('latin1')
}

async function checkLevels (t: Test, ground: Ground, protocolVersion: 3 | 4 | 5): Promise<void> {
  const literal = await connectNats(t, ground.natsUrl)
  const wild = await connectNats(t, ground.natsUrl)
  const raw = await connect(t, ground.natsPort)
  const mqttLiteral = await connectMqtt(t, ground.mqttUrl, speaking(protocolVersion))
  const mqttWild = await connectMqtt(t, ground.mqttUrl, speaking(protocolVersion))
  const device = await connectMqtt(t, ground.mqttUrl, speaking(protocolVersion))
  const service = await connectNats(t, ground.natsUrl)

  for (const [, token] of levels) await literal.subscribe(`x.${token}.${token}`)
  await literal.subscribe('x.end.end')
  await wild.subscribe('x.*.*')
  raw.send([...levels, bom].map(([, token], i) => `SUB x.${latin1(token)}.${latin1(token)} ${i}\r\n`).join(''))
  t.equal(await raw.fence(), '')
  await device.publish('kept', 'x', { qos: 2, retain: true })
  await mqttLiteral.subscribe([...levels, bom].map(([level]) => `x/${level}/${level}`).concat('x/end/end', 'kept'))
  // Aedes is still looking for retained messages until then, which must not go on when Redis goes.
  await mqttLiteral.takeUntil('kept')
  await mqttWild.subscribe('x/+/+')

  for (const [level] of [...levels, bom]) await device.publish(`x/${level}/${level}`, 'of MQTT', { qos: 0 })
  await device.publish('x/end/end', '', { qos: 0 })
  const subjects = levels.map(([, token]) => `x.${token}.${token}`)
  t.strictSame((await literal.takeUntil('x.end.end')).map(({ by, subject }) => [by, subject]), subjects.map((subject) => [subject, subject]), 'MQTT to NATS, by a literal filter')
  const heard = await wild.take(subjects.length + 2)
  t.strictSame(heard.slice(0, -2).map(({ subject }) => subject), subjects, 'MQTT to NATS, by wildcards')
  // The exact bytes, of the byte order mark too.
  for (const [i, [, token]] of [...levels, bom].entries()) await raw.expect(`MSG x.${latin1(token)}.${latin1(token)} ${i} 7\r\nof MQTT\r\n`)

  const topics = [...levels, bom].map(([level]) => `x/${level}/${level}`)
  const ofDevice = [await mqttLiteral.takeUntil('x/end/end'), await mqttWild.takeUntil('x/end/end')]
  for (const some of ofDevice) t.strictSame(some.map(({ topic }) => topic), topics, 'MQTT to MQTT')

  for (const subject of subjects) await service.publish(subject, 'of NATS')
  raw.send(`PUB x.${latin1(bom[1])}.${latin1(bom[1])} 7\r\nof NATS\r\n`)
  for (const [i, [, token]] of [...levels, bom].entries()) await raw.expect(`MSG x.${latin1(token)}.${latin1(token)} ${i} 7\r\nof NATS\r\n`)
  await service.publish('x.end.end')
  for (const [how, peer] of [['by a literal filter', mqttLiteral], ['by wildcards', mqttWild]] as const) {
    const got = await peer.takeUntil('x/end/end')
    t.strictSame(got.map(({ topic }) => topic), topics, `NATS to MQTT, ${how}`)
    t.ok(got.every(({ payload }) => payload.toString() === 'of NATS'))
  }
}

/** Subjects that no topic has. */
const natsOnly = ['a/b', 'x./.y/', 'x./2', 'x./2a', 'x.//./x', '/', 'foo.*', 'foo.>', '*', '>', 'x+', 'x#', '+', '#', 'x.+.y', 'x.\xff', 'x.\xc3', 'x./00', Array.from({ length: 101 }, () => 'x').join('.')]

async function checkNatsOnly (t: Test, ground: Ground): Promise<void> {
  const mqtt = await connectMqtt(t, ground.mqttUrl, { protocolVersion: 4 })
  await mqtt.subscribe(['#', '$NATS/#', 'a/b', 'x/#', '+/+'])
  const listener = await connect(t, ground.natsPort)
  const sids = natsOnly.map((subject, i) => `SUB ${subject} ${i}\r\n`).join('')
  listener.send(`SUB > all\r\n${sids}`)
  t.equal(await listener.fence(), '')
  for (const verbose of [false, true]) {
    const publisher = await connect(t, ground.natsPort, null)
    publisher.send(`CONNECT {"verbose":${verbose},"pedantic":false}\r\n`)
    const ok = verbose ? '+OK\r\n' : ''
    publisher.send(natsOnly.map((subject) => `PUB ${subject} 1\r\nx\r\n`).join('') + 'PUB the.end 0\r\n\r\n')
    const answers = await publisher.fence()
    t.equal(answers.replace('PING\r\n', ''), ok.repeat(natsOnly.length + 2), 'none of them is an error')
    const text = await listener.fence()
    const lines = text.split('\r\n').filter((line) => line.startsWith('MSG ')).map((line) => line.split(' ').slice(1, 3))
    t.strictSame(lines.filter(([, sid]) => sid === 'all').map(([subject]) => subject), [...natsOnly, 'the.end'])
    for (const [i, subject] of natsOnly.entries()) {
      const mine = lines.filter(([, sid]) => sid === String(i)).map(([subject]) => subject)
      if (!/[*>]/.test(subject)) t.strictSame(mine, [subject])
    }
    t.strictSame(await mqtt.takeUntil('the/end'), [], 'MQTT sees nothing of them')
  }

  // The other way round, no topic comes as one of them.
  const unreachable = await connect(t, ground.natsPort)
  unreachable.send(natsOnly.filter((subject) => !/[*>]/.test(subject)).map((subject, i) => `SUB ${subject} ${i}\r\n`).join('') + 'SUB $NATS.> hooks\r\nSUB the.end end\r\n')
  await unreachable.fence()
  const device = await connectMqtt(t, ground.mqttUrl)
  for (const topic of ['a/b', 'x/2', 'x/2a', 'x', '$NATS/a%2Fb', 'the/end']) await device.publish(topic, '', { qos: 0 })
  await unreachable.expect('MSG $NATS.a%2Fb hooks 0\r\n\r\nMSG the.end end 0\r\n\r\n')
}

t.test('names', async (t) => {
  const redis = await startRedis(t)
  for (const { title, create, protocolVersion } of crossings) {
    t.test(`${title}: levels and tokens, in memory`, async (t) => { await checkLevels(t, await inMemory(t, create), protocolVersion) })
    if (protocolVersion !== 4) continue
    t.test(`${title}: levels and tokens, over Redis`, async (t) => { await checkLevels(t, await onRedis(t, redis.port, create), protocolVersion) })
    t.test(`${title}: subjects without a topic, in memory`, async (t) => { await checkNatsOnly(t, await inMemory(t, create)) })
    t.test(`${title}: subjects without a topic, over Redis`, async (t) => { await checkNatsOnly(t, await onRedis(t, redis.port, create)) })
  }
})
