import t from 'tap'
import { isFilter, isLiteral, startsWithWildcard, tokenCount } from '../../lib/subject/grammar.ts'

t.test('filters have no empty token, and > only at the end', async (t) => {
  for (const filter of ['foo', 'foo.bar', '*', '>', 'foo.*', '*.bar', 'foo.>', 'foo*', 'f>o.bar', 'foo.>-', 'a/b', '$SYS.>']) t.ok(isFilter(filter), filter)
  for (const filter of ['', '.', 'foo.', '.foo', 'foo..bar', '>.foo', 'foo.>.bar']) t.notOk(isFilter(filter), filter)
})

t.test('literals have no empty token and no wildcard', async (t) => {
  for (const subject of ['foo', 'foo.bar', 'foo*', 'f>o', 'foo.*-']) t.ok(isLiteral(subject), subject)
  for (const subject of ['', 'foo.', 'foo.*', 'foo.>', '*', 'foo..*']) t.notOk(isLiteral(subject), subject)
})

t.test('tokens are counted with the empty ones', async (t) => {
  t.equal(tokenCount('a'), 1)
  t.equal(tokenCount('a.b.c.d'), 4)
  t.equal(tokenCount('.a.'), 3)
})

t.test('a filter that begins with a wildcard', async (t) => {
  for (const filter of ['*', '>', '*.a']) t.ok(startsWithWildcard(filter), filter)
  for (const filter of ['a.*', '*a', '>a', '$x.>']) t.notOk(startsWithWildcard(filter), filter)
})
