import { existsSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { filterToTopicFilter, natsOnlyTopic, subjectToTopic, topicFilterToFilter, topicToSubject } from '../../lib/subject/mapping.ts'
import { encodeText } from '../../lib/wire/text.ts'

interface Vectors {
  pairs: { topic: string, subject: string }[]
  filters: { subject: string, filter: string }[]
  natsOnly: string[]
}

// Stands beside the checkout where the project is developed; not part of it.
const file = new URL('../../../shared/conformance/mapping.json', import.meta.url)

t.test('the vectors of the conformance folder', { skip: !existsSync(file) && 'no folder shared/ beside this checkout' }, async (t) => {
  const { pairs, filters, natsOnly } = JSON.parse(readFileSync(file, 'utf8')) as Vectors
  for (const { topic, subject } of pairs) {
    t.equal(topicToSubject(topic), encodeText(subject), `topic ${JSON.stringify(topic)}`)
    t.equal(subjectToTopic(encodeText(subject), 100), topic, `subject ${subject}`)
  }
  for (const { subject, filter } of filters) {
    t.equal(filterToTopicFilter(encodeText(subject), 100), filter, `filter ${subject}`)
    t.equal(topicFilterToFilter(filter), encodeText(subject), `topic filter ${filter}`)
  }
  for (const subject of natsOnly) t.equal(subjectToTopic(subject, 100), null, `NATS-only ${subject}`)
})

t.test('the table', async (t) => {
  const rows: [string, string][] = [
    ['foo', 'foo'], ['/', '/./'], ['.', '//'], ['a/b', 'a.b'], ['a//b', 'a./.b'], ['a.b', 'a//b'], ['*', '/2A'], ['a/>/b', 'a./3E.b'],
    ['foo bar', 'foo/20bar'], ['\t', '/09'], ['\r\nMSG evil 1 3\r\n', '/0D/0AMSG/20evil/201/203/0D/0A'], ['\x7f', '/7F'], ['a*', 'a*'], ['>x', '>x'],
    ['é/€', 'é.€'], ['\u00a0', '\u00a0'], ['\u2028', '\u2028'], ['\ufeffa', '\ufeffa'], ['$SYS/x', '$SYS.x']
  ]
  for (const [topic, subject] of rows) {
    t.equal(topicToSubject(topic), encodeText(subject), topic)
    t.equal(subjectToTopic(encodeText(subject), 100), topic, subject)
  }
})

t.test('subjects that no topic maps to are NATS-only', async (t) => {
  for (const subject of [
    '/', 'a/b', 'a/', '/a', 'a///b', 'foo.*', '*', '>', 'a.>', '.foo', 'foo.', 'a..b', '', 'x/41', 'x/2Ay', '/2Ax', 'x/00y', '/00', 'x/2F', 'x/0ay', '/2a',
    'a+', 'a.+', '#', 'a#b', 'a\0b', 'a\x01b', 'a b', 'a\x7fb', 'a\x80', '\xc3', '\xed\xa0\x80', 'a/2E', '/21'
  ]) t.equal(subjectToTopic(subject, 100), null, JSON.stringify(subject))
  t.equal(subjectToTopic('a.b.c', 3), 'a/b/c')
  t.equal(subjectToTopic('a.b.c.d', 3), null, 'too many levels')
})

t.test('topics that MQTT forbids have no subject', async (t) => {
  t.equal(topicToSubject(''), null)
  t.equal(topicToSubject('a\0b'), null)
})

t.test('filters', async (t) => {
  const rows: [string, string][] = [['*', '+'], ['>', '#'], ['foo.*', 'foo/+'], ['foo.>', 'foo/#'], ['/.>', '/#'], ['/2A.*', '*/+'], ['a//b.>', 'a.b/#'], ['foo*', 'foo*']]
  for (const [filter, topicFilter] of rows) {
    t.equal(filterToTopicFilter(filter, 100), topicFilter, filter)
    t.equal(topicFilterToFilter(topicFilter), filter, topicFilter)
  }
  for (const filter of ['a/b.*', '/', 'a+.>', '*.*.*.*']) t.equal(filterToTopicFilter(filter, 3), null, filter)
  t.equal(topicFilterToFilter('a\0'), null)
})

t.test('hooks see a NATS-only subject percent-encoded', async (t) => {
  t.equal(natsOnlyTopic('a/b'), '$NATS/a%2Fb')
  t.equal(natsOnlyTopic('foo.*'), '$NATS/foo.%2A')
  t.equal(natsOnlyTopic('\xff -_~'), '$NATS/%FF%20-_~')
})

// Levels made of what is special, and of anything.
const character = fc.oneof(fc.constantFrom('.', '*', '>', '/', ' ', '\t', '\r', '\n', '\x7f', '$', '2', 'A', '0', 'é', '\u2028', '\ufeff', '𝄞'), fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }))
const topic = fc.array(character, { minLength: 1, maxLength: 12 }).map((list) => list.join('')).filter((text) => !/[\0+#]/.test(text))
const subjectCharacter = fc.constantFrom('/', '.', '2', 'A', '0', '9', 'a', '3', 'E', '*', '>', '\x01', '\xc3', '\xa9', '7', 'F')
const subject = fc.array(subjectCharacter, { minLength: 1, maxLength: 10 }).map((list) => list.join(''))

t.test('topic to subject to topic is the identity', async () => {
  fc.assert(fc.property(topic, (topic) => subjectToTopic(topicToSubject(topic) as string, 100) === topic), { numRuns: 20_000 })
})

t.test('subject to topic to subject is the identity where there is a topic', async () => {
  fc.assert(fc.property(subject, (subject) => {
    const topic = subjectToTopic(subject, 100)
    return topic === null || topicToSubject(topic) === subject
  }), { numRuns: 50_000 })
})

t.test('no topic puts whitespace or a control character into a subject, an empty token or a wildcard', async () => {
  fc.assert(fc.property(topic, (topic) => {
    const subject = topicToSubject(topic) as string
    return !/[\0-\x20\x7f]/.test(subject) &&
      subject.split('.').every((token) => token !== '' && token !== '*' && token !== '>')
  }), { numRuns: 20_000 })
})
