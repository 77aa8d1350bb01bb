import { mock } from 'node:test'
import t, { type Test } from 'tap'
import type { PublishPacket } from '../../lib/broker/host.ts'
import { Replies } from '../../lib/routing/replies.ts'
import type { Requester } from '../../lib/routing/requester.ts'
import { messageWith } from '../../lib/wire/message.ts'

/** Answers to devices, at a time of one's own; `got` is what reaches whom. */
function start (t: Test, rules: Record<string, string> = { 'devices/+/cmd': 'devices/+/reply' }, { mountpoints = [''], shared = false } = {}) {
  mock.timers.enable({ apis: ['Date', 'setInterval'] })
  t.teardown(() => { mock.timers.reset() })
  const wanted: string[] = []
  const replies = new Replies(rules, 10_000, mountpoints, { add: (filter) => { wanted.push(filter) }, remove: () => {} }, shared)
  const got: string[] = []
  const requester = {
    space: {
      names: { hookTopic: (subject: string) => subject.replaceAll('.', '/') },
      bridge: { messageOf: (packet: PublishPacket, subject: string) => messageWith(subject, '', '', packet.payload.toString()) }
    },
    answer: ({ subject, body }) => { got.push(`${subject} ${body}`) }
  } as Requester
  const request = (topic: string, reply: string) => replies.expect(requester, topic, reply)
  const answer = (topic: string, payload: string): void => { replies.receive({ cmd: 'publish', topic, payload, qos: 0, retain: false, dup: false }, false) }
  const requestElsewhere = (topic: string, properties: object | null = { responseTopic: 'inbox' }): void => {
    replies.receive({ cmd: 'publish', topic, payload: '', qos: 0, retain: false, dup: false, ...properties === null ? {} : { properties } }, true)
  }
  const taken = (): string[] => got.splice(0)
  return { replies, request, requestElsewhere, answer, taken, wanted }
}

t.test('the next message on the answer topic is for the oldest request to that device', async (t) => {
  const { replies, request, answer, taken } = start(t)
  answer('devices/1/reply', 'unasked')
  for (const reply of ['a', 'b']) request('devices/1/cmd', reply)
  request('devices/2/cmd', 'c')
  t.equal(request('devices/1/other', 'd'), null)
  t.equal(replies.size, 3)
  for (const [topic, payload] of [['devices/2/reply', '1'], ['devices/1/reply', '2'], ['devices/3/reply', '3'], ['devices/1/reply', '4'], ['devices/1/reply', '5']] as const) answer(topic, payload)
  t.strictSame(taken(), ['c 1', 'a 2', 'b 4'])
  t.equal(replies.size, 0)
})

t.test('a late answer goes nowhere, least of all to the next request', async (t) => {
  const { replies, request, answer, taken } = start(t)
  request('devices/1/cmd', 'a')
  mock.timers.tick(10_001)
  request('devices/1/cmd', 'b')
  answer('devices/1/reply', '1')
  answer('devices/1/reply', '2')
  t.strictSame(taken(), ['b 2'])
  request('devices/1/cmd', 'c')
  mock.timers.tick(20_000)
  request('devices/1/cmd', 'd')
  t.equal(replies.size, 2)
  mock.timers.tick(1)
  answer('devices/1/reply', '3')
  t.strictSame(taken(), ['d 3'], 'what nobody has answered for twice as long is forgotten')
  t.equal(replies.size, 0)
  replies.timeout = 100
  request('devices/1/cmd', 'e')
  mock.timers.tick(101)
  answer('devices/1/reply', '4')
  t.strictSame(taken(), [])
})

t.test('nothing stays of requests that nobody answers', async (t) => {
  const { replies, request, requestElsewhere } = start(t, undefined, { shared: true })
  request('devices/1/cmd', 'a')
  mock.timers.tick(15_000)
  request('devices/2/cmd', 'b')
  requestElsewhere('devices/2/cmd')
  mock.timers.tick(6000)
  t.equal(replies.size, 2)
  mock.timers.tick(15_000)
  t.equal(replies.size, 0)
})

t.test('a request that is withdrawn leaves the others in order', async (t) => {
  const { replies, request, answer, taken } = start(t)
  const [a, b, c] = ['a', 'b', 'c'].map((reply) => request('devices/1/cmd', reply))
  if (!a || !b || !c) throw new Error('a rule fits')
  replies.withdraw(b)
  answer('devices/1/reply', '1')
  replies.withdraw(a)
  answer('devices/1/reply', '2')
  replies.withdraw(c)
  t.strictSame(taken(), ['a 1', 'c 2'])
  t.equal(replies.size, 0)
})

t.test('requests of other nodes keep their places', async (t) => {
  const { replies, request, requestElsewhere, answer, taken, wanted } = start(t, undefined, { shared: true })
  t.strictSame(wanted, ['devices/+/reply', 'devices/+/cmd'])
  request('devices/1/cmd', 'a')
  requestElsewhere('devices/1/cmd')
  requestElsewhere('devices/1/cmd')
  requestElsewhere('devices/1/cmd', {})
  requestElsewhere('devices/1/cmd', null)
  requestElsewhere('others/1/cmd')
  request('devices/1/cmd', 'b')
  t.equal(replies.size, 4)
  for (const payload of ['1', '2', '3', '4']) answer('devices/1/reply', payload)
  t.strictSame(taken(), ['a 1', 'b 4'])
  t.equal(replies.size, 0)
})

t.test('so many requests to a device wait and no more; order stays', async (t) => {
  const { replies, request, answer, taken } = start(t)
  for (let i = 0; i < 1030; i++) request('devices/1/cmd', `r${i}`)
  const late = request('devices/1/cmd', 'withdrawn')
  if (late === null) throw new Error('a rule fits')
  replies.withdraw(late)
  t.equal(replies.size, 1030)
  for (let i = 0; i < 1020; i++) answer('devices/1/reply', String(i))
  t.equal(taken().length, 1020)
  request('devices/1/cmd', 'next')
  for (let i = 1020; i < 1031; i++) answer('devices/1/reply', String(i))
  t.strictSame(taken(), ['r1020 1020', 'r1021 1021', 'r1022 1022', 'r1023 1023', 'next 1030'])
  for (let i = 0; i < 65_536; i++) request(`devices/${i}/cmd`, 'r')
  t.equal(request('devices/x/cmd', 'one too many'), null)
  t.equal(replies.size, 65_536)
})

t.test('so many bytes of them wait and no more; order stays', async (t) => {
  const { replies, request, requestElsewhere, answer, taken } = start(t, undefined, { shared: true })
  const long = 'x'.repeat(1_000_000)
  let heard = 0
  while (request(`devices/${heard}/cmd`, `${heard} ${long}`) !== null) heard++
  t.ok(heard > 30 && heard * long.length < 35_000_000, `${heard} requests`)
  const { bytes } = replies
  for (let i = 0; i < 100; i++) {
    mock.timers.tick(90)
    request('devices/0/cmd', `late ${long}`)
    requestElsewhere('devices/0/cmd')
    requestElsewhere(`devices/${long}/cmd`)
  }
  t.ok(replies.bytes - bytes < 1000, 'what goes nowhere keeps its place, and costs nothing')
  t.equal(replies.size, heard + 200)
  for (let i = 0; i < 201; i++) answer('devices/0/reply', String(i))
  t.equal(taken().join().replace(long, ''), '0  0')
  request('devices/0/cmd', 'next')
  answer('devices/0/reply', 'x')
  t.strictSame(taken(), ['next x'])
  mock.timers.tick(30_000)
  t.strictSame([replies.size, replies.bytes], [0, 0])
})

t.test('the first rule that fits counts; levels go over by their place', async (t) => {
  const { request, answer, taken } = start(t, { 'a/1/+': 'first/+', 'a/+/+': 'second/+/x/+', '+/cmd': 'one' })
  request('a/1/2', 'p')
  request('a/3/4', 'q')
  request('x/cmd', 'r')
  request('y/cmd', 's')
  for (const topic of ['second/3/x/4', 'first/2', 'one', 'one', 'second/1/x/2']) answer(topic, topic)
  t.strictSame(taken(), ['q second/3/x/4', 'p first/2', 'r one', 's one'])
})

t.test('rules hold below each mountpoint', async (t) => {
  // eslint-disable-next-line no-template-curly-in-string -- that is how they are written
  const { request, answer, taken, wanted } = start(t, { '+/cmd': '+/reply' }, { mountpoints: ['', 'plant/${username}/', '${username}-${name}/'] })
  t.strictSame(wanted, ['+/reply', 'plant/+/+/reply', '+/+/reply'])
  request('plant/anna/1/cmd', 'a')
  request('1/cmd', 'b')
  request('bob-x/1/cmd', 'c')
  for (const topic of ['plant/bob/1/reply', '1/reply', 'plant/anna/1/reply', 'bob-x/1/reply']) answer(topic, topic)
  t.strictSame(taken(), ['b 1/reply', 'a plant/anna/1/reply', 'c bob-x/1/reply'])
})
