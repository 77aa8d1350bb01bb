import type { Test } from 'tap'
import type { AnyAedes, Teardown } from '../helper/brokers.ts'
import type { Claimed, DurableStore, StoreEvents, StoreOptions } from '../../lib/durable/store.ts'
import type { StoreTimes } from '../../lib/durable/times.ts'
import { persistenceOf } from '../../lib/broker/persistence.ts'
import { counterStart } from '../../lib/broker/identity.ts'
import type { HostBroker } from '../../lib/broker/host.ts'

/** What a store told. */
export class Told implements StoreEvents {
  readonly worked: string[] = []
  readonly troubles: (string | null)[] = []
  readonly drops: [group: string, count: number][] = []
  readonly losses: string[] = []
  private waiting: (() => void)[] = []

  work (group: string): void { this.tell(this.worked, group) }
  trouble (problem: string | null): void { this.tell(this.troubles, problem) }
  dropped (group: string, count: number): void { this.tell(this.drops, [group, count]) }
  lost (group: string): void { this.tell(this.losses, group) }

  /** Resolves once `condition` holds, looked at after each event. */
  async until (condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => { this.waiting.push(resolve) })
  }

  private tell<T> (list: T[], item: T): void {
    list.push(item)
    const { waiting } = this
    this.waiting = []
    for (const wake of waiting) wake()
  }
}

export interface Opened {
  readonly store: DurableStore
  readonly told: Told
}

/** A broker, and stores on its persistence. */
export interface Rig {
  readonly broker: AnyAedes
  open (t: Teardown, options?: Partial<StoreOptions>, times?: Partial<StoreTimes>): Promise<Opened>
}

export const group = 'nats:/acked.billing'
export const storeOptions: StoreOptions = { maxDurables: 100, maxDepth: 100_000, expiry: 604_800_000 }

/** Looks again and again, for what nothing tells about. */
export async function eventually (condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const end = Date.now() + 20_000; !await condition();) {
    if (Date.now() > end) throw new Error(`never: ${what}`)
    await new Promise((resolve) => { setTimeout(resolve, 5) })
  }
}

export function raise (broker: AnyAedes): void {
  (broker as unknown as { counter: number }).counter = counterStart()
}

/** Publishes with QoS 1 and waits until all is stored. */
export async function publish (broker: AnyAedes, topic: string, payloads: readonly (string | number)[]): Promise<void> {
  for (const payload of payloads) {
    await new Promise<void>((resolve, reject) => {
      broker.publish({ cmd: 'publish', topic, payload: Buffer.from(String(payload)), qos: 1, retain: false, dup: false }, (error) => {
        if (error instanceof Error) reject(error)
        else resolve()
      })
    })
  }
}

export function numbers (from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i)
}

export function payloads (claimed: readonly Claimed[]): string[] {
  return claimed.map(({ packet }) => String(packet.payload))
}

export function ids (claimed: readonly { readonly id: string }[]): string[] {
  return claimed.map(({ id }) => id)
}

/** How many packets another session of the persistence finds. */
export async function outgoing (broker: AnyAedes, id: string): Promise<string[]> {
  const found: string[] = []
  for await (const packet of persistenceOf(broker as unknown as HostBroker).outgoingStream({ id })) found.push(String(packet.payload))
  return found
}

/** What every store does. */
export function storeSuite (t: Test, start: (t: Test) => Promise<Rig>): void {
  t.test('messages are claimed in order, with all that they hold, and acknowledged once', async (t) => {
    const { broker, open } = await start(t)
    const { store } = await open(t)
    await store.register(group, ['a/#'])
    await publish(broker, 'a/b', numbers(0, 10))
    await publish(broker, 'b', ['not asked for'])
    const before = Date.now()
    const first = await store.claim(group, 4)
    t.strictSame(payloads(first), ['0', '1', '2', '3'])
    t.strictSame(payloads(await store.claim(group, 100)), ['4', '5', '6', '7', '8', '9'])
    t.strictSame(await store.claim(group, 100), [])
    const [message] = first
    t.match(message, { deliveries: 0, packet: { cmd: 'publish', topic: 'a/b', qos: 1, retain: false, dup: false, brokerId: broker.id } })
    t.equal(message?.id, `${broker.id}:${message?.packet.brokerCounter}`)
    const depth = await store.depth(group)
    t.match(depth, { waiting: 0, claimed: 10, parked: 0, redelivered: 0 })
    t.ok(depth.oldest !== null && Math.abs(depth.oldest - before) < 10_000, 'the age is known')
    t.equal(await store.ack(group, [...ids(first), 'nobody:1']), 4)
    t.equal(await store.ack(group, ids(first)), 0)
    t.match(await store.depth(group), { waiting: 0, claimed: 6 })
  })

  t.test('what is given back comes first, in its order, and counts as delivered when it was', async (t) => {
    const { broker, open } = await start(t)
    const { store, told } = await open(t)
    await store.register(group, ['a'])
    await publish(broker, 'a', numbers(0, 6))
    const claimed = await store.claim(group, 4)
    await store.release(group, ids(claimed.slice(2)), false)
    await store.release(group, ids(claimed.slice(0, 2)), true)
    await told.until(() => told.worked.includes(group))
    t.match(await store.depth(group), { waiting: 6, claimed: 0, redelivered: 2 })
    const again = await store.claim(group, 10)
    t.strictSame(payloads(again), ['0', '1', '2', '3', '4', '5'])
    t.strictSame(again.map(({ deliveries }) => deliveries), [1, 1, 0, 0, 0, 0])
    await store.release(group, ids(again.slice(0, 1)), true)
    t.match(await store.claim(group, 1), [{ deliveries: 2 }])
    await store.ack(group, ids(again))
    t.match(await store.depth(group), { waiting: 0, claimed: 0, redelivered: 0, oldest: null })
    // Giving back what is not in hand does nothing.
    await store.release(group, ids(again), true)
    t.strictSame(await store.claim(group, 10), [])
  })

  t.test('parked messages wait in order, page by page, and are claimed by name', async (t) => {
    const { broker, open } = await start(t)
    const { store, told } = await open(t)
    await store.register(group, ['a/+'])
    for (const i of numbers(0, 25)) await publish(broker, `a/${i % 2}`, [i])
    const claimed = await store.claim(group, 25)
    const parked = claimed.map(({ id, packet }) => ({ id, topic: packet.topic }))
    await store.park(group, [...parked.slice(10), { id: 'nobody:1', topic: 'x' }])
    await store.park(group, parked.slice(0, 10))
    await told.until(() => told.worked.includes(group))
    t.match(await store.depth(group), { waiting: 0, claimed: 0, parked: 25 })
    t.strictSame(await store.claim(group, 10), [])
    const seen = []
    let from: string | null = null
    do {
      const page = await store.parked(group, from, 10)
      seen.push(...page.parked)
      from = page.next
    } while (from !== null)
    t.strictSame(seen, parked)
    t.strictSame(payloads(await store.unpark(group, ids(parked.slice(3, 6)))), ['3', '4', '5'])
    t.strictSame(payloads(await store.unpark(group, [...ids(parked.slice(5, 7)), 'nobody:1'])), ['6'], 'those that are gone are left out')
    t.equal((await store.parked(group, null, 100)).parked.length, 21)
    t.equal(await store.ack(group, ids(parked)), 4, 'a parked message is in nobody\'s hand')
    t.equal(await store.purge(group), 21)
    t.match(await store.depth(group), { waiting: 0, claimed: 0, parked: 0 })
  })

  t.test('a message that two filters of the group match is delivered once', async (t) => {
    const { broker, open } = await start(t)
    const { store } = await open(t)
    await store.register(group, ['a/+', '+/b', '+/+/#'])
    await persistenceOf(broker as unknown as HostBroker).addSubscriptions({ id: 'session' }, [{ topic: '#', qos: 1 }])
    await publish(broker, 'a/b', numbers(0, 6))
    const [one] = await store.claim(group, 1)
    t.strictSame(payloads(await store.claim(group, 2)), ['1', '2'], 'the first is in hand')
    t.equal(await store.ack(group, [one?.id ?? '']), 1)
    const rest = await store.claim(group, 100)
    t.strictSame(payloads(rest), ['3', '4', '5'])
    await publish(broker, 'a/b', ['6'])
    const [last] = await store.claim(group, 1)
    await store.park(group, [{ id: last?.id ?? '', topic: 'a/b' }])
    t.strictSame(await store.claim(group, 10), [], 'the first is parked')
    await publish(broker, 'a/b', ['7'])
    const [acknowledged] = await store.claim(group, 1)
    await store.ack(group, [acknowledged?.id ?? ''])
    t.strictSame(await store.claim(group, 10), [], 'the first was acknowledged')
    t.strictSame(await outgoing(broker, 'session'), numbers(0, 8).map(String), 'and the other session has all')
  })

  t.test('filters that others contain are not registered, and give way to those that contain them', async (t) => {
    const { broker, open } = await start(t)
    const { store } = await open(t)
    const registered = async (): Promise<string[]> => {
      const found = await persistenceOf(broker as unknown as HostBroker).subscriptionsByClient({ id: group }) ?? []
      for (const { qos } of found) t.equal(qos, 1)
      return found.map(({ topic }) => topic).sort()
    }
    await store.register(group, ['a/b', 'a/c', '$x/y'])
    t.strictSame(await registered(), ['$x/y', 'a/b', 'a/c'])
    await store.register(group, ['a/#', 'a/+/c'])
    t.strictSame(await registered(), ['$x/y', 'a/#'])
    await store.register(group, ['a', 'a/b/c/#', 'a/#'])
    t.strictSame(await registered(), ['$x/y', 'a/#'])
    await store.register(group, ['#'])
    t.strictSame(await registered(), ['#', '$x/y'], '# does not match $x')
    const [record] = await store.groups()
    t.strictSame([...record?.filters ?? []].sort(), ['#', '$x/y', 'a', 'a/#', 'a/+/c', 'a/b', 'a/b/c/#', 'a/c'])
    t.ok(Math.abs((record?.seen ?? 0) - Date.now()) < 10_000)
  })

  t.test('registering from many sides at once ends, and no group too many comes in', async (t) => {
    const { broker, open } = await start(t)
    const { store } = await open(t, { maxDurables: 2 })
    await Promise.all(numbers(0, 20).map((i) => store.register(group, ['b/same', `b/${i % 4}`])))
    await store.register('nats:/acked.other', ['c'])
    await t.rejects(store.register('nats:/acked.third', ['d']), { code: 'NATS_ERR_MAX_DURABLES' })
    await store.register(group, ['e'])
    t.equal((await store.groups()).length, 2)
    await store.remove('nats:/acked.other')
    await store.register('nats:/acked.third', ['d'])
    await publish(broker, 'b/same', ['x'])
    t.equal((await store.claim(group, 10)).length, 1)
  })

  t.test('counts down only what it removed: an overlapping session gets every message', async (t) => {
    const { broker, open } = await start(t)
    const { store } = await open(t)
    await persistenceOf(broker as unknown as HostBroker).addSubscriptions({ id: 'session' }, [{ topic: '#', qos: 1 }])
    await store.register(group, ['a'])
    await publish(broker, 'a', numbers(0, 20))
    const claimed = await store.claim(group, 10)
    await store.ack(group, ids(claimed))
    await store.ack(group, ids(claimed))
    await store.release(group, ids(claimed), true)
    await store.park(group, claimed.map(({ id }) => ({ id, topic: 'a' })))
    t.equal(await store.purge(group), 10)
    t.strictSame(await outgoing(broker, 'session'), numbers(0, 20).map(String))
  })

  t.test('the oldest waiting ones are dropped when there are too many', async (t) => {
    const { broker, open } = await start(t)
    const { store, told } = await open(t, { maxDepth: 10 }, { janitor: 50, renewal: 50 })
    await store.register(group, ['a'])
    await publish(broker, 'a', numbers(0, 4))
    const held = await store.claim(group, 2)
    await publish(broker, 'a', numbers(4, 25))
    await told.until(() => told.drops.reduce((sum, [, count]) => sum + count, 0) === 15)
    t.equal(payloads(await store.claim(group, 1))[0], '17', 'ten, of which two are in hand')
    t.equal(await store.ack(group, ids(held)), 2)
  })

  t.test('a group expires without members, and not with them', async (t) => {
    const { open } = await start(t)
    const { store } = await open(t, { expiry: 600 }, { janitor: 100, presence: 50, renewal: 50 })
    await store.register(group, ['a', 'old/#', 'old/x'])
    await store.register('nats:/acked.gone', ['b'])
    store.present(group, ['a', 'old/x'])
    await eventually(async () => (await store.groups()).length === 1, 'the group without members expires')
    await eventually(async () => (await store.groups())[0]?.filters.length === 2, 'a filter that nobody asks for expires')
    t.strictSame([...(await store.groups())[0]?.filters ?? []].sort(), ['a', 'old/x'], 'what it contained is registered again')
    store.present(group, [])
    await eventually(async () => (await store.groups()).length === 0, 'the group expires when its last member is gone')
  })

  t.test('a thousand in one claim', async (t) => {
    const { broker, open } = await start(t)
    const { store } = await open(t)
    await store.register(group, ['a'])
    await publish(broker, 'a', numbers(0, 2500))
    const all: string[] = []
    for (let claimed = await store.claim(group, 1000); claimed.length > 0; claimed = await store.claim(group, 1000)) {
      all.push(...payloads(claimed))
      t.equal(await store.ack(group, ids(claimed)), claimed.length)
    }
    t.strictSame(all, numbers(0, 2500).map(String))
  })
}
