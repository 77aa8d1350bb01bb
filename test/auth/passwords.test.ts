import bcrypt from 'bcryptjs'
import t from 'tap'
import { isBcrypt, matchesPassword } from '../../lib/auth/passwords.ts'

const wanted = (): boolean => true
const foobar = bcrypt.hashSync('foobar', 4).replace(/^\$2./, '$2a')

t.test('a plain password is compared with what is given, byte for byte', async (t) => {
  t.equal(matchesPassword('secret', 'secret', wanted), true)
  t.equal(matchesPassword('', '', wanted), true)
  t.equal(matchesPassword('\u{1F511}é', '\u{1F511}é', wanted), true)
  for (const wrong of ['', 'secre', 'secret ', 'Secret', 'secret\0']) t.equal(matchesPassword('secret', wrong, wanted), false, wrong)
})

t.test('a bcrypt hash is told by its prefix', async (t) => {
  for (const letter of ['a', 'b', 'x', 'y']) t.ok(isBcrypt(`$2${letter}$04$anything`))
  for (const plain of ['$2c$04$x', '$2a$4$x', '2a$04$x', '$2a$04x', ' $2a$04$x', '$2$04$x']) t.notOk(isBcrypt(plain), plain)
})

t.test('a bcrypt password matches its own hash only', async (t) => {
  for (const letter of ['a', 'b', 'x', 'y']) {
    const hash = foobar.replace('$2a', `$2${letter}`)
    t.equal(await matchesPassword(hash, 'foobar', wanted), true, letter)
    t.equal(await matchesPassword(hash, 'foobaz', wanted), false, letter)
  }
  t.equal(await matchesPassword(foobar, foobar, wanted), false, 'the hash is no password')
  t.equal(await matchesPassword(foobar, '', wanted), false)
  t.equal(await matchesPassword('$2a$04$too short', 'too short', wanted), false, 'what begins like a hash and is none matches nothing')
  t.equal(await matchesPassword(foobar.replace('$04', '$99'), 'foobar', wanted), false)
})

t.test('many at once are answered each with its own answer', async (t) => {
  const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => matchesPassword(foobar, i % 3 === 0 ? 'foobar' : `foobar${i}`, wanted)))
  t.strictSame(answers, Array.from({ length: 40 }, (_, i) => i % 3 === 0))
})

t.test('an answer that nobody waits for any more is not found out', async (t) => {
  // Of cost 31, it would take a week.
  const dear = foobar.replace('$04', '$31')
  const first = matchesPassword(foobar, 'foobar', wanted)
  const answers = await Promise.all(Array.from({ length: 10 }, () => matchesPassword(dear, 'x', () => false)))
  t.strictSame(answers, Array.from({ length: 10 }, () => false))
  t.equal(await first, true)
})

t.test('the event loop turns while a thread compares', async (t) => {
  const hash = bcrypt.hashSync('dear', 10)
  let turns = 0
  const turn = (): void => {
    turns++
    immediate = setImmediate(turn)
  }
  let immediate = setImmediate(turn)
  t.equal(await matchesPassword(hash, 'dear', wanted), true)
  clearImmediate(immediate)
  t.ok(turns > 20, `${turns} turns: bcryptjs on this thread lets it turn once in 100 ms`)
})
