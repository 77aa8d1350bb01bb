import t from 'tap'
import type { Receiver } from '../../lib/routing/receiver.ts'
import { Router } from '../../lib/routing/router.ts'
import { RouteMemory } from '../../lib/routing/route-cache.ts'
import { Names } from '../../lib/subject/names.ts'
import { PrefixMapping } from '../../lib/subject/prefixes.ts'

function receiver (filter: string): Receiver {
  return { filter, queue: null, deliver: () => true }
}

t.test('a topic finds who has subscribed since, however many subjects were published meanwhile', async (t) => {
  const router = new Router(new Names('', PrefixMapping.none, 100), { add () {}, remove () {} }, new RouteMemory())
  t.equal(router.routeOfTopic('a/b', false)?.hasReceivers, false)
  for (let i = 0; i < 40_000; i++) router.route(`c.${i}`)
  router.subscribe(receiver('a.b'))
  t.equal(router.routeOfTopic('a/b', false)?.hasReceivers, true)
})
