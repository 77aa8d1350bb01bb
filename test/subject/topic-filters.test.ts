import t from 'tap'
import { covers, outermost, overlap, overlapping } from '../../lib/subject/topic-filters.ts'

t.test('covers', async (t) => {
  const rows: [outer: string, inner: string, answer: boolean][] = [
    ['a', 'a', true], ['a', 'b', false], ['a', 'a/b', false], ['a/b', 'a', false],
    ['#', 'a/b/c', true], ['#', '#', true], ['#', '+/a', true], ['#', '/', true],
    ['foo/#', 'foo', true], ['foo/#', 'foo/#', true], ['foo/#', 'foo/+/b', true], ['foo/#', 'food', false], ['foo', 'foo/#', false], ['foo/+', 'foo', false],
    ['a/+', 'a/b', true], ['a/+', 'a/+', true], ['a/+', 'a/#', false], ['a/+', 'a/b/c', false], ['a/b', 'a/+', false],
    ['+/+', 'a/b', true], ['+', '#', false], ['+/#', 'a', true], ['+/b/#', 'a/b/c', true], ['+/b/#', '+/+/c', false],
    ['#', '$x', false], ['#', '$x/y', false], ['+/y', '$x/y', false], ['$x/#', '$x/y', true], ['a/+', 'a/$b', true],
    ['a/+', 'a/', true], ['a//b', 'a/+/b', false], ['a/+/b', 'a//b', true]
  ]
  for (const [outer, inner, answer] of rows) t.equal(covers(outer, inner), answer, `${outer} ${answer ? 'covers' : 'does not cover'} ${inner}`)
})

t.test('overlap', async (t) => {
  const rows: [string, string, boolean][] = [
    ['a/+', '+/b', true], ['a/+', 'b/+', false], ['a/#', 'a', true], ['a/#', '+/b/c', true], ['a/b', 'a', false], ['#', '$x', true], ['a/+', 'a', false]
  ]
  for (const [one, other, answer] of rows) {
    t.equal(overlap(one, other), answer, `${one} and ${other}`)
    t.equal(overlap(other, one), answer, `${other} and ${one}`)
  }
  t.ok(overlapping(['a', 'b/+', 'c', '+/x']))
  t.notOk(overlapping(['a', 'b/+', 'c']))
  t.notOk(overlapping([]))
})

t.test('outermost', async (t) => {
  t.strictSame(outermost(['a/b', 'a/#', 'a', 'c', 'a/#']), ['a/#', 'c'])
  t.strictSame(outermost(['a/b', 'a/c', 'a/+']), ['a/+'])
  t.strictSame(outermost([]), [])
})
