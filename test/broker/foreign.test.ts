import mqemitter from 'mqemitter'
import t from 'tap'
import { ForeignInterest } from '../../lib/broker/foreign.ts'
import type { MessageQueue, MqListener, Qlobber } from '../../lib/broker/host.ts'

function listener (): MqListener {
  return (_packet, done) => { done() }
}

function queueWith (filters: readonly string[]): Qlobber {
  const mq = mqemitter() as unknown as MessageQueue
  for (const filter of filters) mq.on(filter, listener())
  return mq._matcher as Qlobber
}

t.test('finds who listens already', async (t) => {
  const foreign = new ForeignInterest(queueWith(['a/b', 'a/b', 'a', 'c/+/d', 'e/#', '$SYS/+/heartbeat', '/', 'x//y', 'v1.0/z', 'q/#/r']))
  for (const subject of ['a.b', 'a', 'c.x.d', 'e', 'e.f.g', '$SYS.id.heartbeat', '/./', 'x./.y', 'v1//0.z', 'q', 'q.s.r']) t.ok(foreign.matches(subject), subject)
  for (const subject of ['b', 'a.c', 'a.b.c', 'c.d', '$SYS.id.birth', 'v1', '/']) t.notOk(foreign.matches(subject), subject)
})

t.test('follows who comes and goes', async (t) => {
  const foreign = new ForeignInterest(queueWith([]))
  const [one, two] = [listener(), listener()]
  const before = foreign.generation
  foreign.add('a/#', one)
  foreign.add('a/#', two)
  foreign.add('a/#', one)
  t.equal(foreign.generation, before + 1, 'a second listener changes no answer')
  foreign.remove('a/#', listener())
  foreign.remove('none', one)
  foreign.remove('a/#', one)
  foreign.remove('a/#', one)
  t.ok(foreign.matches('a'))
  foreign.remove('a/#', two)
  t.notOk(foreign.matches('a'))
  t.equal(foreign.generation, before + 2)
  foreign.add('b', one)
  foreign.removeAll('b')
  foreign.removeAll('b')
  t.notOk(foreign.matches('b'))
  foreign.add('#', one)
  foreign.add('\0', two)
  t.ok(foreign.matches('$x.y'))
})
