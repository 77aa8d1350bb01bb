import fc from 'fast-check'
import t from 'tap'
import { checkMapping, PrefixMapping } from '../../lib/subject/prefixes.ts'

t.test('mappings that are fine', async (t) => {
  const rows: Record<string, string>[] = [
    {},
    { 'iot.': '' },
    { '': 'all/' },
    { '': '' },
    { 'factory.': 'plant/7/' },
    { 'a.': 'x/', 'b.': 'y/' },
    { 'a.': 'x/', 'a.b.': 'y/' },
    { 'a.': 'x/', 'a.b.': 'x/b/' },
    { 'iot.': '', 'iot.plant.7.': 'plant/7/' },
    { 'iot.': '', 'iot.a.': 'b/', 'iot.b.': 'a/' },
    // The subjects of the first that would be in the way of the last are the second's.
    { 'iot.': '', 'iot.plant.': 'b/', 'iot.b.': 'plant/8/', 'factory.': 'plant/7/' },
    { 'a/20b.é.': 'a b/é/' },
    { '/.': '/' },
    { 'a./.': 'a//' },
    { '_INBOX.': 'inbox/' },
    { 'iot.': '_INBOX/' }
  ]
  for (const pairs of rows) t.equal(checkMapping(pairs), null, JSON.stringify(pairs))
})

t.test('what is no prefix is named', async (t) => {
  for (const subject of ['iot', '.', 'iot..', '.iot.', 'iot.*.', '>.', '*.', 'a b.', 'a/b.', 'a+.', '#.', 'a\0.', 'iot.x']) {
    t.equal(checkMapping({ 'fine.': 'x/', [subject]: 'y/' }), `'${subject}' is no subject prefix: it must be '' or end with '.', and its tokens must be those of a topic`)
  }
  for (const topic of ['plant', '/plant', 'plant/+/', '#/', 'a#/', 'plant/\0/', '\ud800/']) {
    t.equal(checkMapping({ 'iot.': topic }), `'${topic}', which 'iot.' leads to, is no topic prefix: it must be '' or end with '/', without '+', '#' and NUL`)
  }
})

t.test('two pairs that would send two subjects to one topic are named', async (t) => {
  const rows: [Record<string, string>, string][] = [
    [{ 'a.': 'x/', 'b.': 'x/' }, "'a.' and 'b.' both lead to topics that begin with 'x/'"],
    [{ 'iot.': '', 'factory.': 'plant/7/' }, "'iot.' and 'factory.' both lead to topics that begin with 'plant/7/'"],
    [{ 'factory.': 'plant/7/', 'iot.': '' }, "'factory.' and 'iot.' both lead to topics that begin with 'plant/7/'"],
    [{ 'fine.': 'y/', 'a.': '', 'b.': '' }, "'fine.' and 'a.' both lead to topics that begin with 'y/'"],
    [{ 'a.': '', 'b.': '' }, "'a.' and 'b.' both lead to topics"],
    [{ 'a.': 'x/', 'a.b.': 'x/' }, "'a.' and 'a.b.' both lead to topics that begin with 'x/'"],
    [{ 'iot.': '', 'iot.plant.7.': 'elsewhere/' }, "'iot.' and 'iot.plant.7.' both lead to topics that begin with 'elsewhere/'"],
    [{ '': '', 'é.': 'x/' }, "'' and 'é.' both lead to topics that begin with 'x/'"],
    [{ 'a.': '', 'b.': '/' }, "'a.' and 'b.' both lead to topics that begin with '/'"]
  ]
  for (const [pairs, text] of rows) t.equal(checkMapping(pairs), text, JSON.stringify(pairs))
})

const subjectPrefix = fc.array(fc.constantFrom('a', 'b'), { maxLength: 3 }).map((tokens) => tokens.map((token) => `${token}.`).join(''))
const topicPrefix = fc.array(fc.constantFrom('a', 'b'), { maxLength: 2 }).map((levels) => levels.map((level) => `${level}/`).join(''))
const pairs = fc.array(fc.tuple(subjectPrefix, topicPrefix), { minLength: 1, maxLength: 5 }).map((rows) => Object.fromEntries(rows))

/** Every subject of up to five tokens, of which no prefix has the token c: prefixes take up to five of them together. */
function allSubjects (length: number): string[] {
  if (length === 0) return ['']
  const shorter = allSubjects(length - 1)
  return [...shorter, ...shorter.filter((subject) => subject.split('.').length === length || length === 1).flatMap((subject) => ['a', 'b', 'c'].map((token) => `${subject}${token}.`))]
}

const subjects = allSubjects(6).filter((subject) => subject !== '').map((subject) => subject.slice(0, -1))

function topicByPairs (pairs: Record<string, string>, subject: string): string | null {
  const prefix = Object.keys(pairs).filter((prefix) => subject.startsWith(prefix) && subject !== prefix).sort((a, b) => b.length - a.length)[0]
  return prefix === undefined ? null : pairs[prefix] + subject.slice(prefix.length).replaceAll('.', '/')
}

t.test('refused are the mappings that send two subjects to one topic, and no others', async (t) => {
  t.equal(subjects.length, 3 + 9 + 27 + 81 + 243 + 729)
  fc.assert(fc.property(pairs, (pairs) => {
    const topics = subjects.map((subject) => topicByPairs(pairs, subject)).filter((topic) => topic !== null)
    return (checkMapping(pairs) === null) === (new Set(topics).size === topics.length)
  }), { numRuns: 2000 })
})

t.test('with a mapping that is fine every subject that a pair covers has a topic', async () => {
  fc.assert(fc.property(pairs.filter((pairs) => checkMapping(pairs) === null), fc.boolean(), (pairs, only) => {
    const mapping = new PrefixMapping(pairs, only)
    return subjects.every((subject) => {
      const topic = topicByPairs(pairs, subject)
      return topic === null || mapping.topicOf(subject, 100) === topic
    })
  }), { numRuns: 500 })
})
