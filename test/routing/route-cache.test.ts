import t from 'tap'
import { RouteCache, RouteMemory } from '../../lib/routing/route-cache.ts'
import type { Receiver } from '../../lib/routing/receiver.ts'
import { Route } from '../../lib/routing/route.ts'
import { Router } from '../../lib/routing/router.ts'
import { Names } from '../../lib/subject/names.ts'
import { PrefixMapping } from '../../lib/subject/prefixes.ts'

// What the routes of a gateway may take, and a route beyond it.
const most = 16_777_216 + 4096

function receiver (filter: string): Receiver {
  return { filter, queue: null, deliver: () => true }
}

function routerWith (memory: RouteMemory): Router {
  return new Router(new Names('', PrefixMapping.none, 100), { add () {}, remove () {} }, memory)
}

t.test('a million subjects take no more than the limit', async (t) => {
  const memory = new RouteMemory()
  const router = routerWith(memory)
  router.subscribe(receiver('a.*'))
  let largest = 0
  for (let i = 0; i < 1_000_000; i++) {
    router.route(`a.${i}`)
    largest = Math.max(largest, memory.size)
  }
  t.ok(largest > most / 2, `${largest} bytes`)
  t.ok(largest < most, `${largest} bytes`)
})

t.test('nor do long subjects and topics, nor many receivers', async (t) => {
  const memory = new RouteMemory()
  const router = routerWith(memory)
  let largest = 0
  for (let i = 0; i < 2000; i++) {
    router.routeOfTopic(`${'long'.repeat(10_000)}${i}`, false)
    largest = Math.max(largest, memory.size)
  }
  t.ok(largest < most + 2 * 40_004, `${largest} bytes`)
  for (let i = 0; i < 10_000; i++) router.subscribe(receiver('>'))
  for (let i = 0; i < 1000; i++) {
    t.equal(router.route(`b.${i}`).plain.length, 10_000)
    largest = Math.max(largest, memory.size)
  }
  t.ok(largest < most + 8 * 10_000, `${largest} bytes`)
})

t.test('all spaces share the limit', async (t) => {
  const memory = new RouteMemory()
  const routers = Array.from({ length: 100 }, () => routerWith(memory))
  let largest = 0
  for (let i = 0; i < 1000; i++) {
    for (const router of routers) router.route(`a.${i}`)
    largest = Math.max(largest, memory.size)
  }
  t.ok(largest < most, `${largest} bytes`)
  for (const router of routers) router.forget()
  t.equal(memory.size, 0)
})

t.test('a route is found anew when a subscription comes or goes', async (t) => {
  const memory = new RouteMemory()
  const router = routerWith(memory)
  const [exact, wild] = [receiver('a.b'), receiver('a.*')]
  const receivers = (): number[] => [router.route('a.b').receiverCount, router.routeOfTopic('a/b', false)?.receiverCount ?? -1]
  t.strictSame(receivers(), [0, 0])
  for (const each of [exact, wild]) {
    router.subscribe(each)
    t.strictSame(receivers(), [1, 1])
    router.unsubscribe(each)
    t.equal(memory.size, 0, 'nothing of it stays')
    t.strictSame(receivers(), [0, 0])
  }
})

t.test('a route is kept under one topic', async (t) => {
  const memory = new RouteMemory()
  const cache = new RouteCache(memory)
  const route = new Route('a', undefined, [])
  cache.keep(route)
  cache.keepTopic('x', route)
  cache.keepTopic('y', route)
  t.equal(cache.getByTopic('x'), undefined)
  t.equal(cache.getByTopic('y'), route)
  cache.drop('b')
  cache.drop('a')
  t.equal(cache.getByTopic('y'), undefined)
  t.equal(memory.size, 0)
})

t.test('making room for a topic does not lose its route', async (t) => {
  const memory = new RouteMemory()
  const cache = new RouteCache(memory)
  const route = new Route('a', undefined, [])
  cache.keep(route)
  cache.keep(new Route('b'.repeat(8_300_000), undefined, []))
  cache.keepTopic('x'.repeat(100_000), route)
  t.equal(cache.get('a'), route)
  t.equal(cache.getByTopic('x'.repeat(100_000)), route)
  cache.clear()
  t.equal(memory.size, 0)
})
