import fc from 'fast-check'
import t from 'tap'
import { isFilter } from '../../lib/subject/grammar.ts'
import { Trie } from '../../lib/subject/trie.ts'

function trieOf (filters: readonly string[]): Trie<string> {
  const trie = new Trie<string>()
  for (const filter of filters) trie.insert(filter, filter)
  return trie
}

function match (trie: Trie<string>, subject: string, literalStart = 0): string[] {
  const found: string[] = []
  trie.match(subject, found, literalStart)
  return found.sort()
}

/** The same question, asked the slow way. */
function matches (filter: string, subject: string): boolean {
  const names = subject.split('.')
  const tokens = filter.split('.')
  if (names.includes('')) return false
  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i] === '>') return names.length > i
    if (i >= names.length || (tokens[i] !== '*' && tokens[i] !== names[i])) return false
  }
  return tokens.length === names.length
}

function startsLiterally (filter: string, count: number): boolean {
  return !filter.split('.').slice(0, count).some((token) => token === '*' || token === '>')
}

t.test('wildcards stand for tokens', async (t) => {
  const trie = trieOf(['foo', 'foo.*', 'foo.>', '*', '>', '*.bar', 'foo.*.baz', 'foo*', '$x.>'])
  t.strictSame(match(trie, 'foo'), ['*', '>', 'foo'])
  t.strictSame(match(trie, 'foo.bar'), ['*.bar', '>', 'foo.*', 'foo.>'])
  t.strictSame(match(trie, 'foo.bar.baz'), ['>', 'foo.*.baz', 'foo.>'])
  t.strictSame(match(trie, 'foo*'), ['*', '>', 'foo*'])
  t.strictSame(match(trie, '$x.y'), ['$x.>', '>'])
})

t.test('a published wildcard is a literal', async (t) => {
  const trie = trieOf(['foo.*', 'foo.bar', 'foo.>', '>'])
  t.strictSame(match(trie, 'foo.*'), ['>', 'foo.*', 'foo.>'])
})

t.test('a subject with an empty token matches nothing', async (t) => {
  const trie = trieOf(['>', '*.*', 'foo.>', '*'])
  for (const subject of ['', '.', '.foo', 'foo.', 'foo..bar']) t.strictSame(match(trie, subject), [])
})

t.test('filters with a wildcard among the first tokens can be left out', async (t) => {
  const trie = trieOf(['>', '*', '*.b', '$a', '$a.>', '$a.*', '$a.b'])
  t.strictSame(match(trie, '$a.b', 1), ['$a.*', '$a.>', '$a.b'])
  t.strictSame(match(trie, '$a', 1), ['$a'])
  t.strictSame(match(trie, '$b', 1), [])
  t.strictSame(match(trie, '$a.b', 2), ['$a.b'])
  t.strictSame(match(trie, '$a.b', 3), ['$a.b'], 'a subject with fewer tokens is literal as a whole')
  t.strictSame(match(trie, '$a.c', 2), [])
})

t.test('one filter may have many values, and one value many filters', async (t) => {
  const trie = new Trie<number>()
  for (let i = 0; i < 200_000; i++) trie.insert('foo', i)
  trie.insert('>', 1)
  const found: number[] = []
  trie.match('foo', found)
  t.equal(found.length, 200_001)
  t.equal(trie.size, 200_001)
})

t.test('what is removed is gone, and leaves nothing behind', async (t) => {
  const filters = ['a', 'a.b', 'a.b.c', 'a.*', 'a.*.c', 'a.>', '*', '>', '*.b.>']
  const trie = trieOf(filters)
  trie.remove('a.x', 'a.x')
  trie.remove('a', 'other')
  trie.remove('z.*', 'z.*')
  t.equal(trie.size, filters.length)
  for (const filter of filters) {
    trie.remove(filter, filter)
    trie.remove(filter, filter)
  }
  t.equal(trie.size, 0)
  t.ok((trie as unknown as { root: { isEmpty: boolean } }).root.isEmpty)
})

t.test('names of Object.prototype are tokens like others', async (t) => {
  const trie = trieOf(['constructor', '__proto__.x', 'toString.*'])
  t.strictSame(match(trie, 'constructor'), ['constructor'])
  t.strictSame(match(trie, '__proto__.x'), ['__proto__.x'])
  t.strictSame(match(trie, 'valueOf'), [])
})

const token = fc.constantFrom('a', 'b', '*', '>', '', '$x')
const subject = fc.array(token, { minLength: 1, maxLength: 5 }).map((tokens) => tokens.join('.'))

t.test('finds what comparing token by token finds', async () => {
  fc.assert(fc.property(fc.uniqueArray(subject.filter(isFilter), { maxLength: 30 }), fc.array(subject, { maxLength: 10 }), fc.nat(29), (filters, subjects, gone) => {
    const trie = trieOf(filters)
    const left = filters.filter((_, i) => i !== gone)
    if (gone < filters.length) trie.remove(filters[gone] as string, filters[gone] as string)
    return subjects.every((subject) => [0, 1, 2, 3].every((count) =>
      match(trie, subject, count).join() === left.filter((filter) => matches(filter, subject) && startsLiterally(filter, count)).sort().join()))
  }), { numRuns: 1000 })
})

t.test('a filter may be as deep as a control line is long', async (t) => {
  const depth = 300_000
  const stars = Array(depth).fill('*').join('.')
  const names = Array(depth).fill('a').join('.')
  const trie = trieOf([stars, names])
  t.equal(match(trie, names).length, 2)
  trie.remove(stars, stars)
  trie.remove(names, names)
  t.equal(trie.size, 0)
  t.strictSame(match(trie, names), [])
})

t.test('a match looks at each node once at most', async (t) => {
  // `*` and the literal at each of ten levels, and an end that fits none: the worst that filters can be crafted to.
  const levels = 10
  const filters = Array.from({ length: 2 ** levels }, (_, i) => [...Array.from({ length: levels }, (_, level) => i & (1 << level) ? '*' : 'a'), 'end'].join('.'))
  const trie = trieOf(filters)
  const { get } = Map.prototype
  let looks = 0
  Map.prototype.get = function (key: unknown) { // eslint-disable-line no-extend-native -- counts the looks, and is put back
    looks++
    return get.call(this, key) as unknown
  }
  let found: string[]
  try {
    found = match(trie, `${'a.'.repeat(levels)}other`)
  } finally {
    Map.prototype.get = get // eslint-disable-line no-extend-native -- as above
  }
  t.strictSame(found, [])
  t.ok(looks <= 2 ** (levels + 1) - 1, `${looks} looks for ${filters.length} filters`)
  t.equal(match(trie, `${'a.'.repeat(levels)}end`).length, filters.length)
})
