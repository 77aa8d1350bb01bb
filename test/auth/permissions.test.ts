import fc from 'fast-check'
import t from 'tap'
import { Permissions, type Rights } from '../../lib/auth/permissions.ts'
import { parseRule, RuleSet, type SubjectRule } from '../../lib/auth/subject-rules.ts'
import { collide, covers } from '../../lib/subject/grammar.ts'
import { Trie } from '../../lib/subject/trie.ts'

function rules (list: readonly string[] | undefined): RuleSet | null {
  return list === undefined ? null : new RuleSet(list.map((text) => parseRule(text) as SubjectRule))
}

interface Lists { readonly allow?: readonly string[], readonly deny?: readonly string[] }

function permissions (given: { publish?: Lists, subscribe?: Lists, responses?: Rights['responses'] }, now = (): number => 0): Permissions {
  const { publish = {}, subscribe = {}, responses = null } = given
  return new Permissions({
    publish: { allow: rules(publish.allow), deny: rules(publish.deny) },
    subscribe: { allow: rules(subscribe.allow), deny: rules(subscribe.deny) },
    responses
  }, now)
}

t.test('an entry is a subject, or a subject and a queue group', async (t) => {
  t.strictSame(parseRule('foo.*'), { subject: 'foo.*', queue: null })
  t.strictSame(parseRule(' foo \t q.> '), { subject: 'foo', queue: 'q.>' })
  t.strictSame(parseRule('é.>'), { subject: '\xc3\xa9.>', queue: null }, 'as on the wire')
  for (const wrong of ['', ' ', 'a..b', '.a', 'a.', '>.a', 'a q r', 'a q..r', 'a >.q']) t.equal(parseRule(wrong), null, wrong)
})

t.test('publishing: what is allowed except what is denied', async (t) => {
  const some = permissions({ publish: { allow: ['*.*', 'p.>'], deny: ['SYS.*', 'bar.baz', 'foo.*'] } })
  for (const subject of ['a.b', 'bar.bax', 'p.q.r', 'a.*', 'a.>']) t.ok(some.mayPublish(subject), subject)
  for (const subject of ['a', 'a.b.c', 'SYS.x', 'bar.baz', 'foo.', 'foo.bar', 'p', 'p..a', '', '>']) t.notOk(some.mayPublish(subject), subject)
  t.ok(permissions({ publish: { deny: ['x'] } }).mayPublish('y'))
  t.notOk(permissions({ publish: { deny: ['>'] } }).mayPublish('y'))
  t.notOk(permissions({ publish: { allow: [] } }).mayPublish('y'), 'an empty list allows nothing')
  t.ok(permissions({}).mayPublish('y'))
})

t.test('names of Object.prototype are subjects', async (t) => {
  const some = permissions({ publish: { allow: ['__proto__', 'a.constructor'], deny: ['toString'] } })
  for (const subject of ['__proto__', 'a.constructor']) t.ok(some.mayPublish(subject), subject)
  for (const subject of ['toString', 'constructor', 'a.__proto__', 'hasOwnProperty']) t.notOk(some.mayPublish(subject), subject)
})

t.test('what is known of subjects stays bounded and right', async (t) => {
  const some = permissions({ publish: { allow: ['yes.*'] } })
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 1000; i++) {
      if (!some.mayPublish(`yes.${i}`) || some.mayPublish(`no.${i}`)) t.fail(`wrong at ${i}`)
    }
  }
  t.ok((some as unknown as { known: Map<string, boolean> }).known.size <= 256)
})

t.test('subscribing: what is allowed except what is denied', async (t) => {
  const some = permissions({ subscribe: { allow: ['foo.*', 'SYS.TEST.>'], deny: ['foo.baz', 'SYS.*'] } })
  for (const filter of ['foo.bar', 'foo.*', 'SYS.TEST.a', 'SYS.TEST.>', 'SYS.TEST.*.*']) {
    t.ok(some.maySubscribe(filter, null), filter)
    t.ok(some.maySubscribe(filter, 'q'), `${filter} q`)
  }
  for (const filter of ['foo', 'foo.baz', 'SYS.a', 'SYS.*', 'SYS.>', '>', '*.*', 'foo.bar.x', 'bar']) t.notOk(some.maySubscribe(filter, null), filter)
})

t.test('a wildcard subscription is allowed only where the list has all that it matches', async (t) => {
  const some = permissions({ subscribe: { allow: ['foo.*', 'a.*.c', 'x.>'] } })
  for (const filter of ['foo.>', 'foo.*.*', 'a.>', 'a.*.*', 'a.b.>', '*.a', '>', 'x']) t.notOk(some.maySubscribe(filter, null), filter)
  for (const filter of ['foo.*', 'a.*.c', 'x.*', 'x.>', 'x.*.>']) t.ok(some.maySubscribe(filter, null), filter)
})

t.test('entries with a queue group', async (t) => {
  const some = permissions({ subscribe: { allow: ['only v1.*', 'both', 'both v1', 'any'], deny: ['any bad.>', 'both x'] } })
  const wanted: readonly (readonly [string, string | null, boolean])[] = [
    ['only', null, false], ['only', 'v1.a', true], ['only', 'v1', false], ['only', 'v1.*', true], ['only', 'v1.a.b', false],
    ['both', null, true], ['both', 'v1', true], ['both', 'v2', false],
    ['any', null, true], ['any', 'q', true], ['any', 'bad.q', false], ['any', 'bad', true], ['any', '__proto__', true]
  ]
  for (const [filter, queue, allowed] of wanted) t.equal(some.maySubscribe(filter, queue), allowed, `${filter} ${queue}`)
})

t.test('what is denied is kept from subscriptions that match more', async (t) => {
  const some = permissions({ subscribe: { deny: ['foo.bar', 'q.a g.*', 'deep.>'] } })
  t.ok(some.maySubscribe('foo.*', null))
  for (const filter of ['foo.*', '>', '*.bar', 'foo.>', 'deep.>', '*.x']) t.ok(some.filters(filter, null), filter)
  for (const filter of ['foo', 'bar.*', 'foo.*.*', 'deep', 'q.*']) t.notOk(some.filters(filter, null), filter)
  t.ok(some.filters('q.*', 'g.1'))
  t.notOk(some.filters('q.*', 'h'))
  t.notOk(some.mayReceive('foo.bar', null))
  t.notOk(some.mayReceive('foo.bar', 'q'))
  t.ok(some.mayReceive('foo.baz', null))
  t.ok(some.mayReceive('q.a', null))
  t.notOk(some.mayReceive('q.a', 'g.1'))
  t.ok(some.mayReceive('q.a', 'h'))
  t.notOk(permissions({ subscribe: { allow: ['>'] } }).filters('>', null))
})

t.test('a client may answer what it got, as often and as long as it is allowed', async (t) => {
  let now = 0
  const some = permissions({ publish: { allow: ['free'], deny: [] }, responses: { max: 2, expires: 1000 } }, () => now)
  t.ok(some.notesReplies)
  t.notOk(some.mayPublish('inbox.1'))
  some.noteReply('inbox.1')
  t.ok(some.mayPublish('inbox.1'))
  t.ok(some.mayPublish('inbox.1'))
  t.notOk(some.mayPublish('inbox.1'), 'twice is enough')
  some.noteReply('inbox.1')
  some.noteReply('inbox.1')
  t.ok(some.mayPublish('inbox.1') && some.mayPublish('inbox.1'))
  t.notOk(some.mayPublish('inbox.1'), 'a message that comes by two subscriptions is one to answer')
  some.noteReply('inbox.2')
  now = 999
  t.ok(some.mayPublish('inbox.2'))
  now = 1000
  t.notOk(some.mayPublish('inbox.2'), 'too late')
  for (let i = 0; i < 5; i++) some.noteReply('free')
  for (let i = 0; i < 5; i++) t.ok(some.mayPublish('free'), 'what is allowed anyway is not counted')
})

t.test('answers without limits', async (t) => {
  let now = 0
  const some = permissions({ publish: { allow: [] }, responses: { max: -1, expires: -1 } }, () => now)
  some.noteReply('inbox')
  now = Number.MAX_SAFE_INTEGER
  for (let i = 0; i < 100; i++) if (!some.mayPublish('inbox')) t.fail('no more answers')
  t.notOk(permissions({ publish: { allow: [] } }).notesReplies)
})

t.test('replies that nobody answers take bounded memory', async (t) => {
  let now = 0
  const held = (some: Permissions): number => (some as unknown as { replies: Map<string, unknown> }).replies.size
  const endless = permissions({ publish: { allow: [] }, responses: { max: 1, expires: -1 } })
  for (let i = 0; i < 70_000; i++) endless.noteReply(`inbox.${i}`)
  t.ok(held(endless) <= 65_536 + 1024, String(held(endless)))
  t.notOk(endless.mayPublish('inbox.0'), 'the oldest made room')
  t.ok(endless.mayPublish('inbox.69999'))
  const brief = permissions({ publish: { allow: [] }, responses: { max: 1, expires: 10 } }, () => now)
  for (; now < 10_000; now++) brief.noteReply(`inbox.${now}`)
  t.ok(held(brief) <= 10 + 1024, String(held(brief)))
})

t.test('long replies that nobody answers take bounded memory too', async (t) => {
  const some = permissions({ publish: { allow: [] }, responses: { max: 2, expires: -1 } })
  const { replies } = some as unknown as { replies: Map<string, unknown> }
  const name = (i: number): string => `inbox.${i}.`.padEnd(4000, 'x')
  let most = 0
  for (let i = 0; i < 5000; i++) {
    some.noteReply(name(i))
    // Answered once, and got again: neither counts twice, nor not at all.
    if (i % 2 === 0) some.mayPublish(name(i))
    some.noteReply(name(i))
    if (i % 3 === 0) some.mayPublish(name(i))
    if (i % 3 === 0) some.mayPublish(name(i))
    most = Math.max(most, replies.size)
  }
  t.ok(most <= 4_194_304 / 4000, `${most} at most`)
  t.ok(replies.size > 0.8 * 4_194_304 / 4000, `${replies.size} at the end`)
  const held = [...replies.keys()]
  t.strictSame(held, Array.from({ length: 5000 }, (_, i) => name(i)).filter((_, i) => i % 3 !== 0).slice(-held.length), 'the oldest made room')
  for (let i = 0; i < 1000; i++) some.noteReply(`short.${i}`)
  t.ok(held.slice(-500).every((subject) => some.mayPublish(subject)), 'short ones take little')
})

const token = fc.constantFrom('a', 'b', '*')
const filter = fc.tuple(fc.array(token, { minLength: 1, maxLength: 3 }), fc.boolean()).map(([tokens, rest]) => [...tokens, ...rest ? ['>'] : []].join('.'))
const subjects = ['a', 'b', 'c'].flatMap((x) => [x, ...['a', 'b', 'c'].flatMap((y) => [`${x}.${y}`, ...['a', 'b', 'c'].flatMap((z) => [`${x}.${y}.${z}`, ...['a', 'c'].flatMap((u) => [`${x}.${y}.${z}.${u}`, `${x}.${y}.${z}.${u}.a`])])])])

function matched (one: string): Set<string> {
  const trie = new Trie<true>()
  trie.insert(one, true)
  return new Set(subjects.filter((subject) => {
    const found: true[] = []
    trie.match(subject, found)
    return found.length > 0
  }))
}

t.test('covers and collide say of filters what matching all subjects says', async () => {
  fc.assert(fc.property(filter, filter, (one, other) => {
    const first = matched(one)
    const second = matched(other)
    return covers(one, other) === [...second].every((subject) => first.has(subject)) &&
      collide(one, other) === [...second].some((subject) => first.has(subject))
  }), { numRuns: 500 })
})
