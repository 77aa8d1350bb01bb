import fc from 'fast-check'
import t, { type Test } from 'tap'
import { Asked } from '../../lib/durable/asked.ts'
import { filterToTopicFilter, natsOnlyTopic, subjectToTopic, topicFilterToFilter, topicToSubject } from '../../lib/subject/mapping.ts'
import { Names } from '../../lib/subject/names.ts'
import { checkMapping, PrefixMapping } from '../../lib/subject/prefixes.ts'
import { covers } from '../../lib/subject/topic-filters.ts'
import { Trie } from '../../lib/subject/trie.ts'
import { encodeText } from '../../lib/wire/text.ts'

const maxLevels = 100

function namesOf (pairs: Record<string, string>, { mount = '', only = false, levels = maxLevels } = {}): Names {
  const trouble = checkMapping(pairs)
  if (trouble !== null) throw new Error(trouble)
  return new Names(mount, new PrefixMapping(pairs, only), levels)
}

function twoWays (t: Test, names: Names, rows: readonly [subject: string, topic: string][]): void {
  for (const [subject, topic] of rows) {
    t.equal(names.topicOf(encodeText(subject)), topic, `topic of ${subject}`)
    t.equal(names.subjectOf(topic), encodeText(subject), `subject of ${topic}`)
    t.equal(names.hookTopic(encodeText(subject)), topic)
  }
}

function natsOnly (t: Test, names: Names, subjects: readonly string[]): void {
  for (const subject of subjects) t.equal(names.topicOf(subject), null, `${subject} is NATS-only`)
}

t.test('a mountpoint stands before topics, and nobody else has them', async (t) => {
  const names = namesOf({}, { mount: 'tenants/é/' })
  twoWays(t, names, [['foo.bar', 'tenants/é/foo/bar'], ['/./', 'tenants/é//'], ['$SYS.x', 'tenants/é/$SYS/x'], ['_INBOX.x', 'tenants/é/_INBOX/x'], ['é', 'tenants/é/é']])
  for (const topic of ['foo/bar', 'tenants/é', 'tenants/é/', 'tenants/éa/x', 'tenants/é/a\0', '']) t.equal(names.subjectOf(topic), null, topic)
  natsOnly(t, names, ['foo.*', 'a/b', '/', ''])
  t.equal(names.hookTopic('a/b'), 'tenants/é/$NATS/a%2Fb')
})

t.test('the levels of a mountpoint and of a topic prefix count', async (t) => {
  const mounted = namesOf({}, { mount: 't/1/', levels: 4 })
  t.equal(mounted.topicOf('a.b'), 't/1/a/b')
  t.equal(mounted.topicOf('a.b.c'), null)
  t.strictSame(mounted.topicFiltersOf('a.>'), ['t/1/a/#'])
  t.strictSame(mounted.topicFiltersOf('a.b.*'), [])
  const mapped = namesOf({ 'f.': 'p/7/' }, { mount: 't/', levels: 4 })
  t.equal(mapped.topicOf('f.a'), 't/p/7/a')
  t.equal(mapped.topicOf('f.a.b'), null)
  t.strictSame(mapped.topicFiltersOf('f.>'), ['t/p/7/#'])
  t.strictSame(mapped.topicFiltersOf('f.a.*'), [])
  t.strictSame(mapped.topicFiltersOf('p.7.*'), ['t/p/7/'])
  t.strictSame(namesOf({ 'f.': 'p/7/' }, { levels: 2 }).topicFiltersOf('p.7.*'), [])
})

t.test('what MQTT cannot name for its length is NATS-only', async (t) => {
  for (const [names, before] of [[namesOf({}), 0], [namesOf({}, { mount: 'é/' }), 3], [namesOf({ 'f.': 'p/7/' }), 2]] as const) {
    const prefix = names.topicOf('f.x') === 'p/7/x' ? 'f.' : ''
    for (const unit of ['a', '\xc3\xa9', '\xe2\x82\xac']) {
      const longest = prefix + unit.repeat(Math.floor((65_535 - before - prefix.length) / unit.length))
      t.not(names.topicOf(longest), null, 'the longest')
      t.equal(names.topicOf(longest + 'aaa'), null)
    }
  }
})

t.test('a subject prefix without a topic prefix', async (t) => {
  const names = namesOf({ 'iot.': '' })
  twoWays(t, names, [
    ['iot.sensor.data.temperature', 'sensor/data/temperature'], ['iot.iot.x', 'iot/x'], ['iot./.a', '/a'], ['iot.a./', 'a/'], ['iot.a./.x', 'a//x'],
    ['_INBOX.x', '_INBOX/x'], ['iot.$SYS.x', '$SYS/x'], ['iot._INBOX', '_INBOX']
  ])
  natsOnly(t, names, ['sensor.data', 'foo', 'iot', 'iot./', 'iot.a.*', 'iot._INBOX.x', 'iot.'])
  t.equal(names.hookTopic('sensor.data'), '$NATS/sensor.data')
})

t.test('a subject prefix with a topic prefix', async (t) => {
  for (const mount of ['', 'm/']) {
    const names = namesOf({ 'factory.': 'plant/7/' }, { mount })
    twoWays(t, names, [
      ['factory.a', `${mount}plant/7/a`], ['factory./.x', `${mount}plant/7//x`], ['factory.a./', `${mount}plant/7/a/`],
      ['factory', `${mount}factory`], ['plant.7', `${mount}plant/7`], ['plant.7./', `${mount}plant/7/`], ['plant.8.x', `${mount}plant/8/x`], ['_INBOX.x', `${mount}_INBOX/x`]
    ])
    natsOnly(t, names, ['plant.7.a', 'factory./'])
    t.equal(names.subjectOf(`${mount}factory/a`), null, 'the subject of that topic has another topic')
  }
})

t.test('the longest subject prefix decides', async (t) => {
  const names = namesOf({ 'a.': 'x/', 'a.b.': 'y/', 'a.b.c.': 'x/b/c/' })
  twoWays(t, names, [['a.z', 'x/z'], ['a.b', 'x/b'], ['a.b.z', 'y/z'], ['a.b.c', 'y/c'], ['a.b.c.z', 'x/b/c/z'], ['x.b.q', 'x/b/q']])
})

t.test('a prefix for everything', async (t) => {
  const names = namesOf({ '': 'nats/' })
  twoWays(t, names, [['foo', 'nats/foo'], ['_INBOX.x', 'nats/_INBOX/x']])
  for (const topic of ['foo', 'nats', 'nats/', '_INBOX/x']) t.equal(names.subjectOf(topic), null, topic)
  t.strictSame(names.topicFiltersOf('>'), ['nats/#'])
})

t.test('mappingOnly leaves all else NATS-only, but for inboxes', async (t) => {
  const names = namesOf({ 'factory.': 'plant/7/' }, { only: true })
  twoWays(t, names, [['factory.a', 'plant/7/a'], ['_INBOX.x.y', '_INBOX/x/y']])
  natsOnly(t, names, ['foo', 'plant.7.a', '_INBOX'])
  t.equal(names.subjectOf('foo'), null)
  t.strictSame(names.topicFiltersOf('foo.>'), [])
  t.strictSame(names.topicFiltersOf('>'), ['plant/7/#', '_INBOX/#'])
  t.equal(names.filterOf('foo/#'), null)
  const nothing = namesOf({}, { only: true })
  natsOnly(t, nothing, ['foo', '_INBOX.x'])
  t.equal(nothing.subjectOf('foo'), null)
})

t.test('inboxes follow a pair that names them', async (t) => {
  twoWays(t, namesOf({ '_INBOX.': 'answers/' }), [['_INBOX.x', 'answers/x']])
  const some = namesOf({ '_INBOX.devices.': 'answers/' }, { only: true })
  twoWays(t, some, [['_INBOX.devices.x', 'answers/x']])
  natsOnly(t, some, ['_INBOX.x'])
})

t.test('prefixes may hold what the plain table escapes, and UTF-8', async (t) => {
  twoWays(t, namesOf({ 'é.a//b.': 'ü x/.y/', '/.': '//' }), [['é.a//b.ö', 'ü x/.y/ö'], ['/.z', '//z']])
})

t.test('topic filters', async (t) => {
  const rows: [pairs: Record<string, string>, filter: string, topicFilters: string[]][] = [
    [{}, 'foo.>', ['foo/#']],
    [{}, '/', []],
    [{ 'iot.': '' }, 'iot.a.*', ['a/+']],
    [{ 'iot.': '' }, 'iot.>', ['#']],
    [{ 'iot.': '' }, 'iot.*', ['+']],
    [{ 'iot.': '' }, '*.a', ['_INBOX/a', 'a']],
    [{ 'iot.': '' }, '*.>', ['#']],
    [{ 'iot.': '' }, '>', ['#']],
    [{ 'iot.': '' }, 'foo.>', []],
    [{ 'iot.': '' }, 'iot', []],
    [{ 'iot.': '' }, '*', []],
    [{ 'iot.': '' }, 'iot./', []],
    [{ 'iot.': '' }, '_INBOX.x.*', ['_INBOX/x/+']],
    [{ 'factory.': 'plant/7/' }, 'factory.>', ['plant/7/#']],
    [{ 'factory.': 'plant/7/' }, '*.a', ['plant/7/a', '+/a']],
    [{ 'factory.': 'plant/7/' }, '>', ['#']],
    [{ 'factory.': 'plant/7/' }, '*', ['+']],
    [{ 'factory.': 'plant/7/' }, 'factory', ['factory']],
    [{ 'factory.': 'plant/7/' }, 'plant.>', ['plant/#']],
    [{ 'factory.': 'plant/7/' }, 'plant.7.a', []],
    [{ 'factory.': 'plant/7/' }, 'plant.7.*.>', []],
    [{ 'factory.': 'plant/7/' }, 'plant.7', ['plant/7']],
    // The topic `plant/7/` itself keeps its plain subject.
    [{ 'factory.': 'plant/7/' }, 'plant.7.>', ['plant/7/']],
    [{ 'factory.': 'plant/7/' }, 'plant.7.*', ['plant/7/']],
    [{ 'factory.': 'plant/7/' }, 'plant.7./', ['plant/7/']],
    [{ 'a.b.': 'x/' }, 'a.>', ['x/#', 'a/#']],
    [{ 'a.b.': 'x/' }, 'a.*', ['a/+']],
    [{ 'a.b.': 'x/' }, 'a.*.c', ['x/c', 'a/+/c']],
    [{ 'a.': 'x/', 'a.b.': 'y/' }, 'a.b.c', ['y/c']],
    [{ 'a.': 'x/', 'a.b.': 'y/' }, 'a.>', ['y/#', 'x/#']],
    // x.b.c is free: a.b.c goes to y/c.
    [{ 'a.': 'x/', 'a.b.': 'y/' }, 'x.b.c', ['x/b/c']],
    [{ 'a.': 'x/', 'a.b.': 'y/' }, 'x.>', ['x/#']],
    [{ 'a.': 'x/', 'a.b.': 'y/' }, 'x.c.>', []]
  ]
  for (const [pairs, filter, topicFilters] of rows) {
    const name = `${filter} with ${JSON.stringify(pairs)}`
    t.strictSame(namesOf(pairs).topicFiltersOf(filter), topicFilters, name)
    t.strictSame(namesOf(pairs, { mount: 'm/' }).topicFiltersOf(filter), topicFilters.map((topicFilter) => `m/${topicFilter}`), `${name} under a mountpoint`)
    t.strictSame(namesOf(pairs).hookFilters(filter), topicFilters.length > 0 ? topicFilters : [natsOnlyTopic(filter)])
  }
})

t.test("MQTT's # does not contain a filter that begins with $", async (t) => {
  t.strictSame(namesOf({ 'sys.': '$SYS/' }).topicFiltersOf('>'), ['$SYS/#', '#'])
  t.strictSame(namesOf({ 'sys.': '$SYS/' }, { mount: 'm/' }).topicFiltersOf('>'), ['m/#'])
})

t.test('hooks see a filter without topics percent-encoded, under the mountpoint', async (t) => {
  t.strictSame(namesOf({ 'iot.': '' }, { mount: 'm/' }).hookFilters('foo.>'), ['m/$NATS/foo.%3E'])
  t.strictSame(namesOf({}, { mount: 'm/' }).hookFilters('a/b'), ['m/$NATS/a%2Fb'])
})

t.test('the filter of a topic filter that a hook chose', async (t) => {
  const rows: [pairs: Record<string, string>, topicFilter: string, filter: string | null][] = [
    [{}, 'foo/#', 'foo.>'], [{}, '#', '>'], [{}, 'a\0', null],
    [{ 'iot.': '' }, 'foo/+', 'iot.foo.*'], [{ 'iot.': '' }, '#', 'iot.>'], [{ 'iot.': '' }, '_INBOX/#', '_INBOX.>'],
    [{ 'factory.': 'plant/7/' }, 'plant/7/#', 'factory.>'], [{ 'factory.': 'plant/7/' }, 'plant/7/+/x', 'factory.*.x'],
    [{ 'factory.': 'plant/7/' }, 'plant/7/', 'plant.7./'], [{ 'factory.': 'plant/7/' }, 'plant/+/x', 'plant.*.x'], [{ 'factory.': 'plant/7/' }, 'factory/#', null],
    // a.> would match a.b.z too, which is y/z; *.x would match factory.x, which is plant/7/x.
    [{ 'a.': 'x/', 'a.b.': 'y/' }, 'x/#', null], [{ 'factory.': 'plant/7/' }, '+/x', null], [{ 'factory.': 'plant/7/' }, '#', '>'],
    [{ 'a.': 'x/', 'a.b.': 'y/' }, 'x/c/#', 'a.c.>'], [{ 'a.': 'x/', 'a.b.': 'y/' }, 'x/b/#', 'x.b.>']
  ]
  for (const [pairs, topicFilter, filter] of rows) {
    t.equal(namesOf(pairs).filterOf(topicFilter), filter, `${topicFilter} with ${JSON.stringify(pairs)}`)
    t.equal(namesOf(pairs, { mount: 'm/' }).filterOf(`m/${topicFilter}`), filter)
  }
  for (const topicFilter of ['m/', '#', '+/a', 'other/a', 'm']) t.equal(namesOf({}, { mount: 'm/' }).filterOf(topicFilter), null, `${topicFilter} leaves the mountpoint`)
})

t.test('the tokens that a filter must name for a topic that begins with $', async (t) => {
  t.equal(namesOf({}).literalTokens('a/$b'), 0)
  t.equal(namesOf({}).literalTokens('$SYS/a'), 1)
  t.equal(namesOf({}, { mount: '$tenants/' }).literalTokens('$tenants/a'), 0, 'no wildcard stands before the end of a mountpoint')
  t.equal(namesOf({ 'iot.x.': '' }).literalTokens('$SYS/a'), 3)
  t.equal(namesOf({ 'iot.x.': '' }).literalTokens('a'), 0)
  t.equal(namesOf({ 'iot.x.': '$SYS/' }).literalTokens('$SYS/a'), 2)
  t.equal(namesOf({ 'iot.x.': '$SYS/' }).literalTokens('$SYS'), 1)
  t.equal(namesOf({ 'iot.x.': '' }, { only: true }).literalTokens('$\0'), 0, 'no subject')
})

const token = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('a', 'b', '$x', '/', '//', '/20', '/2A', '/3E', '\xc3\xa9', '_INBOX') },
  { weight: 1, arbitrary: fc.constantFrom('*', '>', 'a/', '\xc3', '#', '', 'a+') }
)
const subject = fc.array(token, { minLength: 1, maxLength: 6 }).map((tokens) => tokens.join('.'))
const filter = fc.tuple(fc.array(fc.constantFrom('a', 'b', '*', '*', '/', '$x', '_INBOX'), { maxLength: 5 }), fc.boolean())
  .map(([tokens, full]) => [...tokens, ...(full || tokens.length === 0 ? ['>'] : [])].join('.'))
const level = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('a', 'b', '', '$x', '_INBOX') },
  { weight: 1, arbitrary: fc.array(fc.constantFrom('a', '.', '$', '*', '>', ' ', 'é', '\x7f'), { maxLength: 3 }).map((list) => list.join('')) }
)
const topic = fc.array(level, { minLength: 1, maxLength: 6 }).map((levels) => levels.join('/')).filter((topic) => topic !== '')
const prefixLevels = fc.array(fc.constantFrom('a', 'b', '', '$x', 'é', '*', '_INBOX'), { maxLength: 2 })
const subjectPrefix = prefixLevels.map((levels) => levels.map((level) => `${level === '' ? '/' : level === '*' ? '/2A' : level}.`).join(''))
const topicPrefix = prefixLevels.map((levels) => levels.map((level) => `${level}/`).join(''))
const pairs = fc.oneof(
  fc.constant({}),
  fc.array(fc.tuple(subjectPrefix, topicPrefix), { minLength: 1, maxLength: 4 }).map((rows) => Object.fromEntries(rows))
).filter((pairs) => checkMapping(pairs) === null)
const names = fc.record({ pairs, only: fc.boolean(), mount: fc.constantFrom('', '', 't/', '$t/é/', '/') })

t.test('a subject that has a topic is the subject of that topic', async () => {
  fc.assert(fc.property(names, fc.array(subject, { maxLength: 20 }), ({ pairs, mount, only }, subjects) => {
    const names = namesOf(pairs, { mount, only })
    return subjects.every((subject) => {
      const topic = names.topicOf(subject)
      return topic === null || names.subjectOf(topic) === subject
    })
  }), { numRuns: 3000 })
})

t.test('a topic that has a subject is the topic of that subject', async () => {
  fc.assert(fc.property(names, fc.array(topic, { maxLength: 20 }), ({ pairs, mount, only }, topics) => {
    const names = namesOf(pairs, { mount, only })
    return topics.every((topic) => {
      const subject = names.subjectOf(mount + topic)
      return subject === null || names.topicOf(subject) === mount + topic
    })
  }), { numRuns: 3000 })
})

t.test('no two subjects share a topic', async () => {
  fc.assert(fc.property(names, fc.uniqueArray(subject, { maxLength: 40 }), ({ pairs, mount, only }, subjects) => {
    const names = namesOf(pairs, { mount, only })
    const topics = subjects.map((subject) => names.topicOf(subject)).filter((topic) => topic !== null)
    return new Set(topics).size === topics.length
  }), { numRuns: 2000 })
})

/** MQTT 3.1.1, 4.7, without the rule for `$`. */
function topicMatches (topicFilter: string, topic: string): boolean {
  const levels = topic.split('/')
  const wanted = topicFilter.split('/')
  for (const [i, level] of wanted.entries()) {
    if (level === '#') return true
    if (i >= levels.length || (level !== '+' && level !== levels[i])) return false
  }
  return wanted.length === levels.length
}

/** Whether an MQTT subscription to the topic filter gets the topic, by the rule for `$` too. */
function mqttDelivers (topicFilter: string, topic: string): boolean {
  return topicMatches(topicFilter, topic) && !(topic.startsWith('$') && /^[+#]/.test(topicFilter))
}

function subjectMatches (filter: string, subject: string, literalStart = 0): boolean {
  const trie = new Trie<true>()
  trie.insert(filter, true)
  const found: true[] = []
  trie.match(subject, found, literalStart)
  return found.length > 0
}

t.test('the topic filters match every topic whose subject the filter matches', async (t) => {
  let matching = 0
  let hidden = 0
  fc.assert(fc.property(names, fc.array(filter, { maxLength: 10 }), fc.array(subject, { maxLength: 20 }), ({ pairs, mount, only }, filters, subjects) => {
    const names = namesOf(pairs, { mount, only })
    return filters.every((filter) => subjects.every((subject) => {
      const topic = names.topicOf(subject)
      if (topic === null || !subjectMatches(filter, subject)) return true
      matching++
      const topicFilters = names.topicFiltersOf(filter)
      if (!topicFilters.some((topicFilter) => topicMatches(topicFilter, topic))) return false
      // What an MQTT client publishes reaches the filter by MQTT's own rule for `$` too.
      if (!subjectMatches(filter, subject, names.literalTokens(topic))) return true
      if (topic.startsWith('$')) hidden++
      return topicFilters.some((topicFilter) => mqttDelivers(topicFilter, topic))
    }))
  }), { numRuns: 3000 })
  t.ok(matching > 1000 && hidden > 10, `${matching} topics matched, ${hidden} of them begin with $`)
})

t.test('a topic whose subject a filter matches is asked for below its prefix', async (t) => {
  let matching = 0
  let others = 0
  fc.assert(fc.property(names, fc.array(filter, { maxLength: 10 }), fc.array(subject, { maxLength: 20 }), ({ pairs, mount, only }, filters, subjects) => {
    const names = namesOf(pairs, { mount, only })
    return filters.every((filter) => subjects.every((subject) => {
      const topic = names.topicOf(subject)
      if (topic === null) return true
      const asked = new Asked(names, names.prefixFiltersOf(filter)).includes(topic)
      const wanted = subjectMatches(filter, subject, names.literalTokens(topic))
      if (wanted) matching++
      else if (asked) others++
      return asked || !wanted
    }))
  }), { numRuns: 3000 })
  t.ok(matching > 1000 && others < matching / 100, `${matching} matched, ${others} more are asked for`)
})

t.test('what is asked for below one prefix is not below another', async (t) => {
  const rows: [pairs: Record<string, string>, filter: string, topic: string, asked: boolean][] = [
    [{}, 'foo.>', 'foo/a', true], [{}, 'foo.>', 'foo', false], [{}, '>', '$x', false], [{}, '$x.>', '$x/a', true],
    [{ 'iot.': '' }, 'iot.>', 'a', true], [{ 'iot.': '' }, 'iot.>', '_INBOX/x', false], [{ 'iot.': '' }, '>', '_INBOX/x', true], [{ 'iot.': '' }, '_INBOX.>', '_INBOX/x', true],
    [{ 'iot.': '' }, 'iot.>', '$x', false], [{ 'iot.': '' }, 'iot.$x', '$x', true],
    [{ 'f.': 'p/7/' }, 'p.>', 'p/7/a', false], [{ 'f.': 'p/7/' }, 'p.>', 'p/8', true], [{ 'f.': 'p/7/' }, '*.a', 'f/a', false], [{ 'f.': 'p/7/' }, '*.a', 'p/7/a', true]
  ]
  for (const [pairs, filter, topic, asked] of rows) {
    for (const mount of topic.startsWith('$') ? [''] : ['', 'm/']) {
      const names = namesOf(pairs, { mount })
      t.equal(new Asked(names, names.prefixFiltersOf(filter)).includes(mount + topic), asked, `${topic} by ${filter} with ${JSON.stringify(pairs)}`)
    }
  }
})

t.test('no topic filter is contained in another one', async () => {
  fc.assert(fc.property(names, filter, ({ pairs, mount, only }, filter) => {
    const topicFilters = namesOf(pairs, { mount, only }).topicFiltersOf(filter)
    return topicFilters.every((one, i) => topicFilters.every((other, j) => i === j || !covers(other, one)))
  }), { numRuns: 3000 })
})

t.test('the filter of a topic filter matches no subject whose topic the topic filter does not match', async () => {
  const topicFilter = fc.tuple(fc.array(fc.constantFrom('a', 'b', '+', '', '$x'), { minLength: 1, maxLength: 4 }), fc.boolean())
    .map(([levels, full]) => [...levels, ...(full ? ['#'] : [])].join('/')).filter((topicFilter) => topicFilter !== '')
  fc.assert(fc.property(names, topicFilter, fc.array(topic, { maxLength: 20 }), ({ pairs, mount, only }, topicFilter, topics) => {
    const names = namesOf(pairs, { mount, only })
    const filter = names.filterOf(mount + topicFilter)
    return filter === null || topics.every((topic) => {
      const subject = names.subjectOf(mount + topic)
      return subject === null || !subjectMatches(filter, subject) || topicMatches(topicFilter, topic)
    })
  }), { numRuns: 2000 })
})

t.test('without mountpoint and mapping all is as in the plain table', async () => {
  const names = new Names('', PrefixMapping.none, 4)
  fc.assert(fc.property(fc.oneof(subject, fc.string()), fc.oneof(topic, fc.string(), fc.constant('a\0')), filter, (subject, topic, filter) => {
    const topicFilter = filterToTopicFilter(filter, 4)
    return names.topicOf(subject) === subjectToTopic(subject, 4) &&
      names.subjectOf(topic) === topicToSubject(topic) &&
      names.hookTopic(subject) === (subjectToTopic(subject, 4) ?? natsOnlyTopic(subject)) &&
      names.topicFiltersOf(filter).join() === (topicFilter ?? '') &&
      names.hookFilters(filter).join() === (topicFilter ?? natsOnlyTopic(filter)) &&
      names.filterOf(topic) === topicFilterToFilter(topic) &&
      names.literalTokens(topic) === (topic.startsWith('$') ? 1 : 0)
  }), { numRuns: 5000 })
})

t.test('tenants never share a topic', async () => {
  const mount = fc.array(fc.constantFrom('a', 'b', '', '$x'), { minLength: 1, maxLength: 2 }).map((levels) => levels.map((level) => `${level}/`).join(''))
  fc.assert(fc.property(mount, mount, pairs, pairs, subject, subject, (one, other, pairs, others, subject, second) => {
    fc.pre(!one.startsWith(other) && !other.startsWith(one))
    const mine = namesOf(pairs, { mount: one })
    const theirs = namesOf(others, { mount: other })
    const topic = mine.topicOf(subject)
    return mine.hookTopic(subject) !== theirs.hookTopic(second) && (topic === null || theirs.subjectOf(topic) === null)
  }), { numRuns: 3000 })
})
