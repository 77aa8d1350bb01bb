import t, { type Test } from 'tap'
import { asHost, type PublishPacket } from '../../lib/broker/host.ts'
import { HostLink } from '../../lib/broker/link.ts'
import { Durables, type Membership } from '../../lib/durable/durables.ts'
import type { Recipient } from '../../lib/durable/member.ts'
import type { DeliveryLimits } from '../../lib/durable/dealer.ts'
import type { Logger } from '../../lib/options.ts'
import type { Space } from '../../lib/routing/spaces.ts'
import { type Message, messageOf } from '../../lib/wire/message.ts'
import { spaceOf } from '../helper/spaces.ts'
import { versions } from '../helper/brokers.ts'
import { FakeStore } from './fake-store.ts'

const group = 'nats://acked.g'

class Peer implements Recipient {
  readonly owner = {}
  readonly filter: string
  readonly received: Message[] = []
  isKeepingUp = true
  refuses = false
  reads: (() => void)[] = []
  relief: (() => void)[] = []
  private waiting: (() => void) | null = null

  constructor (filter: string) {
    this.filter = filter
  }

  take (message: Message): boolean {
    if (this.refuses) return false
    this.received.push(message)
    this.waiting?.()
    return true
  }

  whenKeepingUp (callback: () => void): void { this.relief.push(callback) }
  whenRead (callback: () => void): void {
    this.reads.push(callback)
    this.waiting?.()
  }

  async until (condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => { this.waiting = resolve })
  }

  /** The next messages. */
  async next (count: number): Promise<Message[]> {
    await this.until(() => this.received.length >= count)
    return this.received.splice(0, count)
  }
}

const bodies = (messages: readonly Message[]): string[] => messages.map(({ body }) => body)

async function setUp (t: Test, limits: Partial<DeliveryLimits> = {}): Promise<{ store: FakeStore, durables: Durables, space: Space, buried: string[], answered: string[], log: string[], ack: (message: Message, payload?: string, reply?: string) => boolean, join: (peer: Peer, queue?: string) => Membership }> {
  const broker = await (versions[1] as typeof versions[0]).create()
  t.teardown(() => { broker.close() })
  const link = new HostLink(asHost(broker))
  t.teardown(() => { link.close() })
  const store = new FakeStore()
  const buried: string[] = []
  const answered: string[] = []
  const log: string[] = []
  const write = (_details: object, text: string): void => { log.push(text) }
  const logger: Logger = { trace () {}, debug () {}, info: write, warn: write, error: write }
  const durables = new Durables({
    store,
    log: logger,
    limits: { maxAckPending: 1000, ackWait: 30_000, maxDeliver: 0, ...limits },
    bury: async (_group, held) => { buried.push(held.message.body) }
  })
  t.teardown(() => durables.close())
  const space = spaceOf(link)
  await durables.open()
  return {
    store,
    durables,
    space,
    buried,
    answered,
    log,
    ack: (message, payload = '', reply = '') => durables.acknowledge(messageOf(message.reply, reply, payload), { space, answer: ({ subject }) => { answered.push(subject) } }),
    join: (peer, queue = 'acked.g') => durables.join(space, queue, queue.startsWith('acked') ? 'reply' : 'pong', peer)
  }
}

/** Resolves once the store was called so. */
async function called (store: FakeStore, call: string | RegExp): Promise<void> {
  const found = (): boolean => store.calls.some((each) => typeof call === 'string' ? each === call : call.test(each))
  while (!found()) await new Promise((resolve) => { setImmediate(resolve) })
}

t.test('a member gets what is stored, in order, each with an id and a reply subject as JetStream gives it', async (t) => {
  const { store, ack, join } = await setUp(t)
  const ids = ['one', 'two', 'three'].map((payload) => store.publish(group, 'a/b', payload, { responseTopic: 'answer/to' }))
  const peer = new Peer('a.>')
  join(peer)
  const messages = await peer.next(3)
  t.same(bodies(messages), ['one', 'two', 'three'])
  for (const [i, message] of messages.entries()) {
    t.equal(message.subject, 'a.b')
    t.equal(message.header, `NATS/1.0\r\nNmqtt-Id: ${ids[i]}\r\nNmqtt-Reply: answer.to\r\nNmqtt-Pub: 1\r\n\r\n`)
    const tokens = message.reply.split('.')
    t.equal(tokens.length, 9)
    t.match(message.reply, /^\$JS\.ACK\.AEDES_[0-9a-f]{18}_[0-9a-f]{18}\.acked_g\.1\.\d+\.\d+\.\d{19}\.\d+$/)
    t.ok(ack(message))
  }
  await called(store, `ack ${ids.join(' ')}`)
  t.notOk(ack(messageOf('x', '$JS.ACK.OTHER.c.1.1.1.1.0', '')), 'of another server')
})

t.test('what a member says of a message', async (t) => {
  const { store, answered, ack, join } = await setUp(t)
  const peer = new Peer('>')
  join(peer)

  t.test('+ACK and +OK are done, and answered where an answer is asked for, once the store knows', async (t) => {
    for (const payload of ['+ACK', '+OK', '']) {
      const id = store.publish(group, 'a', 'x')
      store.events?.work(group)
      const [message] = await peer.next(1)
      ack(message as Message, payload, '_INBOX.1')
      await called(store, `ack ${id}`)
      while (answered.length === 0) await new Promise((resolve) => { setImmediate(resolve) })
      t.same(answered.splice(0), ['_INBOX.1'])
    }
  })

  t.test('-NAK comes again, marked', async (t) => {
    const id = store.publish(group, 'a', 'x')
    store.events?.work(group)
    const [first] = await peer.next(1)
    ack(first as Message, '-NAK')
    const [second] = await peer.next(1)
    t.equal(second?.header, `NATS/1.0\r\nNmqtt-Id: ${id}\r\nNmqtt-Delivered: 2\r\nNmqtt-Pub: 1\r\n\r\n`)
    t.match(second?.reply, /\.acked_g\.2\./)
    ack(second as Message, '-NAK {"delay": 1000000}')
    const [third] = await peer.next(1)
    t.match(third?.header, 'Nmqtt-Delivered: 3')
    ack(third as Message, '-NAK nonsense')
    const [fourth] = await peer.next(1)
    t.ok(ack(first as Message), 'the reply of an earlier delivery counts')
    await called(store, `ack ${id}`)
    t.ok(ack(fourth as Message), 'another one does no harm')
  })

  t.test('+TERM is never tried again', async () => {
    const id = store.publish(group, 'a', 'x')
    store.events?.work(group)
    const [message] = await peer.next(1)
    ack(message as Message, '+TERM no sense in it')
    await called(store, `ack ${id}`)
  })

  t.test('anything else is ignored, as by JetStream', async (t) => {
    const id = store.publish(group, 'a', 'x')
    store.events?.work(group)
    const [message] = await peer.next(1)
    t.ok(ack(message as Message, 'thanks'))
    t.notOk(store.calls.includes(`ack ${id}`))
    ack(message as Message)
    await called(store, `ack ${id}`)
  })
})

t.test('what is not acknowledged in time comes again, before newer ones; +WPI gives more time', async (t) => {
  const { store, ack, join } = await setUp(t, { ackWait: 60, maxAckPending: 2 })
  for (const payload of ['1', '2', '3', '4']) store.publish(group, 'a', payload)
  const peer = new Peer('a')
  join(peer)
  const [one, two] = await peer.next(2)
  const extend = setInterval(() => { ack(two as Message, '+WPI') }, 10)
  t.teardown(() => { clearInterval(extend) })
  const [again] = await peer.next(1)
  t.equal(again?.body, '1')
  clearInterval(extend)
  ack(again as Message)
  ack(two as Message)
  t.same(bodies(await peer.next(2)), ['3', '4'])
  t.equal(one?.body, '1')
})

t.test('a member has no more than maxAckPending', async (t) => {
  const { store, ack, join } = await setUp(t, { maxAckPending: 3 })
  for (let i = 0; i < 10; i++) store.publish(group, 'a', String(i))
  const peer = new Peer('a')
  join(peer)
  const first = await peer.next(3)
  await new Promise((resolve) => { setImmediate(resolve) })
  t.equal(peer.received.length, 0)
  for (const message of first) ack(message)
  t.same(bodies(await peer.next(3)), ['3', '4', '5'])
})

t.test('what a lost connection had goes to the others first, in order', async (t) => {
  const { store, durables, ack, join } = await setUp(t, { maxAckPending: 2 })
  for (let i = 0; i < 6; i++) store.publish(group, 'a', String(i))
  const first = new Peer('a')
  join(first)
  await first.next(2)
  const second = new Peer('a')
  join(second)
  t.same(bodies(await second.next(2)), ['2', '3'])
  durables.disconnected(second.owner)
  const third = new Peer('a')
  join(third)
  const got = await third.next(2)
  t.same(bodies(got), ['2', '3'])
  t.match(got[0]?.header, 'Nmqtt-Delivered: 2')
  durables.disconnected(first.owner)
  for (const message of got) ack(message)
  t.same(bodies(await third.next(2)), ['0', '1'])
})

t.test('after UNSUB a member may still acknowledge; without members the rest goes back, delivered ones in front', async (t) => {
  const { store, durables, ack, join } = await setUp(t, { maxAckPending: 3 })
  const ids = [0, 1, 2].map((i) => store.publish(group, 'a', String(i)))
  const peer = new Peer('a')
  const membership = join(peer)
  const [one] = await peer.next(3)
  membership.leave()
  ack(one as Message)
  await called(store, `ack ${ids[0]}`)
  t.notOk(store.calls.some((call) => call.startsWith('release')))
  durables.disconnected(peer.owner)
  await called(store, `release ${ids[1]} ${ids[2]} true`)
  const later = new Peer('a')
  join(later)
  t.match((await later.next(2))[0]?.header, 'Nmqtt-Delivered: 2')
})

t.test('PONG acknowledges all that was read before its PING', async (t) => {
  const { store, join } = await setUp(t)
  const name = 'nats://durable.g'
  const peer = new Peer('a')
  join(peer, 'durable.g')
  const first = [store.publish(name, 'a', '1'), store.publish(name, 'a', '2')]
  store.events?.work(name)
  const messages = await peer.next(2)
  t.equal(messages[0]?.reply, '')
  await peer.until(() => peer.reads.length > 0)
  const second = store.publish(name, 'a', '3')
  store.events?.work(name)
  await peer.next(1)
  peer.reads.shift()?.()
  await called(store, `ack ${first.join(' ')}`)
  t.notOk(store.calls.some((call) => call.startsWith('ack') && call.includes(second)))
  await peer.until(() => peer.reads.length > 0)
  peer.reads.shift()?.()
  await called(store, `ack ${second}`)
})

t.test('what was delivered maxDeliver times goes elsewhere', async (t) => {
  const { store, buried, ack, join } = await setUp(t, { maxDeliver: 2 })
  const id = store.publish(group, 'a', 'poison')
  const peer = new Peer('a')
  join(peer)
  for (let i = 0; i < 2; i++) ack((await peer.next(1))[0] as Message, '-NAK')
  await called(store, `ack ${id}`)
  t.same(buried, ['poison'])
})

t.test('several members share, and one that does not keep up is left out', async (t) => {
  const { store, join } = await setUp(t)
  const peers = [new Peer('a'), new Peer('a'), new Peer('a')]
  for (const peer of peers) join(peer)
  ;(peers[0] as Peer).isKeepingUp = false
  for (let i = 0; i < 10; i++) store.publish(group, 'a', String(i))
  store.events?.work(group)
  await Promise.all(peers.slice(1).map((peer) => peer.next(5)))
  t.equal(peers[0]?.received.length, 0)
})

t.test('a message that only an absent member asks for is parked, and there for it when it comes; one that nobody asks for is dropped', async (t) => {
  const { store, durables, space, join } = await setUp(t)
  await durables.register(space, 'acked.g', ['a/#'])
  await durables.register(space, 'acked.g', ['b/#'])
  const forB = [store.publish(group, 'b/x', 'b1'), store.publish(group, 'b/x', 'b2')]
  const nobody = store.publish(group, 'b', 'b.> does not match b')
  const hidden = store.publish(group, '$x/y', 'x')
  store.publish(group, 'a/x', 'a1')
  const a = new Peer('a.>')
  join(a)
  t.same(bodies(await a.next(1)), ['a1'])
  await called(store, `park ${forB.join(' ')}`)
  await called(store, `ack ${nobody} ${hidden}`)
  store.publish(group, 'b/x', 'b3')
  const b = new Peer('b.>')
  join(b)
  t.same(bodies(await b.next(3)), ['b1', 'b2', 'b3'])
})

t.test('a member that takes nothing does not hold the others', async (t) => {
  const { store, durables, space, ack, join } = await setUp(t, { maxAckPending: 600 })
  await durables.register(space, 'acked.g', ['a'])
  await durables.register(space, 'acked.g', ['b'])
  const stuck = new Peer('a')
  const busy = new Peer('b')
  join(stuck)
  join(busy)
  for (let i = 0; i < 2000; i++) store.publish(group, 'a', `a${i}`)
  store.publish(group, 'b', 'b')
  store.events?.work(group)
  t.same(bodies(await busy.next(1)), ['b'])
  const got: string[] = []
  while (got.length < 2000) {
    const messages = await stuck.next(1)
    got.push(...bodies(messages))
    for (const message of messages) ack(message)
  }
  t.same([...got].sort(), Array.from({ length: 2000 }, (_, i) => `a${i}`).sort())
})

t.test('what is forbidden to every member is dropped, counted, and logged once', async (t) => {
  const { store, durables, log, join } = await setUp(t)
  const ids = [store.publish(group, 'a', 'x'), store.publish(group, 'a', 'y')]
  const [forbidden, allowed] = [new Peer('a'), new Peer('b')]
  forbidden.refuses = true
  join(forbidden)
  join(allowed)
  for (const id of ids) await called(store, new RegExp(`^ack .*${id}`))
  const another = new Peer('a')
  join(another)
  store.publish(group, 'a', 'z')
  store.events?.work(group)
  t.strictSame(bodies(await another.next(1)), ['z'], 'whoever may have it gets it')
  t.match(await durables.list(), [{ forbidden: 2 }])
  t.strictSame(log, ['durable acked.g: permissions or authorizeForward keep messages from every member here: they are dropped'])
})

t.test('a store that fails is asked again', async (t) => {
  const { store, durables, log, ack, join } = await setUp(t)
  const away = (): Error => new Error('away')
  store.failures['claim'] = [away(), away()]
  store.failures['ack'] = [away()]
  store.failures['release'] = [away()]
  const id = store.publish(group, 'a', 'x')
  const peer = new Peer('a')
  join(peer)
  const [message] = await peer.next(1)
  ack(message as Message)
  while (store.calls.filter((call) => call === `ack ${id}`).length < 2) await new Promise((resolve) => { setImmediate(resolve) })
  const other = store.publish(group, 'a', 'y')
  store.events?.work(group)
  await peer.next(1)
  durables.disconnected(peer.owner)
  while (store.calls.filter((call) => call === `release ${other} true`).length < 2) await new Promise((resolve) => { setImmediate(resolve) })
  store.events?.trouble('ECONNREFUSED')
  store.events?.trouble('ECONNREFUSED')
  t.equal(durables.problem, 'ECONNREFUSED')
  store.events?.trouble(null)
  t.equal(durables.problem, null)
  store.events?.dropped(group, 3)
  store.events?.dropped(group, 4)
  t.same(log, ['durable subscriptions: the store is away: ECONNREFUSED', 'durable subscriptions: the store is back', 'durable acked.g holds more messages than maxDepth: the oldest are dropped'])
  t.match(await durables.inspect('acked.g'), { name: 'acked.g', dropped: 7, waiting: 1 })
})

t.test('what other nodes took back is theirs', async (t) => {
  const { store, ack, join } = await setUp(t)
  const id = store.publish(group, 'a', 'x')
  const peer = new Peer('a')
  join(peer)
  const [message] = await peer.next(1)
  store.events?.lost(group)
  t.ok(ack(message as Message))
  await called(store, 'parked')
  t.notOk(store.calls.includes(`ack ${id}`))
})

t.test('closing gives everything back: fresh ones, then delivered ones in front of them', async (t) => {
  const { store, durables, ack, join } = await setUp(t, { maxAckPending: 2 })
  const ids = [0, 1, 2].map((i) => store.publish(group, 'a', String(i)))
  const peer = new Peer('a')
  join(peer)
  const [one] = await peer.next(2)
  ack(one as Message)
  await peer.next(1)
  await durables.close()
  t.ok(store.calls.includes(`ack ${ids[0]}`))
  t.same(store.calls.slice(-2), [`release ${ids[1]} ${ids[2]} true`, 'close'])
})

t.test('management', async (t) => {
  const { store, durables, space, join } = await setUp(t)
  await durables.register(space, 'acked.g', ['a'])
  const peer = new Peer('a')
  const membership = join(peer)
  store.publish(group, 'a', 'x')
  store.events?.work(group)
  await peer.next(1)
  t.match(await durables.list(), [{ name: 'acked.g', filters: ['a'], members: 1, pending: 1, claimed: 1, waiting: 0 }])
  t.equal(await durables.inspect('none'), null)
  await t.rejects(durables.remove('acked.g'), { code: 'NATS_ERR_DURABLE_IN_USE', message: 'durable acked.g has 1 members' })
  membership.leave()
  store.publish(group, 'a', 'y')
  t.equal(await durables.purge('acked.g'), 1)
  await durables.remove('acked.g')
  t.same(await durables.list(), [])
})

t.test('a message whose time is over while it waits is done with', async (t) => {
  const { store, ack, join } = await setUp(t)
  const id = store.publish(group, 'a', 'x', { messageExpiryInterval: 1000 })
  const kept = store.kept.get(group)?.waiting[0]?.packet as PublishPacket
  kept.messageExpiry = Date.now() + 500_000
  const peer = new Peer('>')
  join(peer)
  const [message] = await peer.next(1)
  t.match(message?.header, /\r\nNmqtt-Expiry: (500|4\d\d)\r\n/)
  const { now } = Date
  t.teardown(() => { Date.now = now })
  Date.now = () => now() + 400_000
  ack(message as Message, '-NAK')
  const [again] = await peer.next(1)
  t.match(again?.header, /Nmqtt-Delivered: 2\r\n[^]*\r\nNmqtt-Expiry: (100|\d\d)\r\n/)
  Date.now = () => now() + 500_000
  ack(again as Message, '-NAK')
  await called(store, `ack ${id}`)
  t.same(peer.received, [])
})
