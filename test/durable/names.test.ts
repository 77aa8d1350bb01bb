import fc from 'fast-check'
import t from 'tap'
import { ackKindOf } from '../../lib/durable/patterns.ts'
import { verdictOf } from '../../lib/durable/verdict.ts'
import { Trie } from '../../lib/subject/trie.ts'

t.test('queue groups that are durable', async (t) => {
  const patterns = { 'acked.*': 'reply', 'durable.*': 'pong', 'jobs.>': 'reply', all: 'pong', 'durable.x': 'reply' } as const
  for (const [queue, kind] of [
    ['acked.a', 'reply'], ['durable.a', 'pong'], ['durable.x', 'pong'], ['jobs.a', 'reply'], ['jobs.a.b', 'reply'], ['all', 'pong'],
    ['acked', null], ['acked.', null], ['acked.a.b', null], ['.acked.a', null], ['jobs', null], ['jobs.', null], ['jobs..a', null], ['All', null], ['', null]
  ] as const) t.equal(ackKindOf(patterns, queue), kind, queue)
})

t.test('property: a pattern matches as a subscription does', async () => {
  const tokens = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 4 })
  const patterns = fc.array(fc.constantFrom('a', 'b', '*'), { minLength: 1, maxLength: 4 }).chain((all) => fc.constantFrom(all, [...all, '>']))
  fc.assert(fc.property(patterns, tokens, (pattern, name) => {
    const trie = new Trie<true>()
    trie.insert(pattern.join('.'), true)
    const found: true[] = []
    trie.match(name.join('.'), found)
    return (ackKindOf({ [pattern.join('.')]: 'reply' }, name.join('.')) === 'reply') === (found.length > 0)
  }))
})

t.test('what acknowledgements say', async (t) => {
  for (const payload of ['', '+ACK', '+OK', '+NXT', '+NXT {"batch": 1}']) t.strictSame(verdictOf(payload), { kind: 'ack' }, payload)
  t.strictSame(verdictOf('+WPI'), { kind: 'progress' })
  t.strictSame(verdictOf('+TERM'), { kind: 'term' })
  t.strictSame(verdictOf('+TERM because'), { kind: 'term' })
  t.strictSame(verdictOf('-NAK'), { kind: 'nak', delay: 0 })
  t.strictSame(verdictOf('-NAK {"delay": 1500000000}'), { kind: 'nak', delay: 1500 })
  t.strictSame(verdictOf('-NAK {"delay": 1}'), { kind: 'nak', delay: 1 })
  t.strictSame(verdictOf('-NAK {"delay": 1e300}'), { kind: 'nak', delay: 2 ** 31 - 1 })
  for (const payload of ['-NAK {"delay": -5}', '-NAK {"delay": "1s"}', '-NAK {', '-NAK null', '-NAK {"delay": null}']) t.strictSame(verdictOf(payload), { kind: 'nak', delay: 0 }, payload)
  for (const payload of ['ok', 'ACK', '{"a":1}', '+WPI ', ' ']) t.equal(verdictOf(payload), null, payload)
})
