import { X509Certificate } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { namesOf } from '../../lib/auth/certificate.ts'
import { hasSameParts, isSameName, parseName, type DistinguishedName } from '../../lib/auth/distinguished-name.ts'
import { createCertificate, type Names } from '../helper/certificates.ts'
import { attempt, authenticator, outcome, tcp, websocket } from './attempts.ts'

const authority = createCertificate({ subject: ['CN=CA'] }, null)

function rawOf (names: Names): Buffer {
  return createCertificate(names, authority).raw
}

t.test('names of a certificate, in the order in which they are looked at', async (t) => {
  const raw = rawOf({ subject: ['C=DE', 'O=Firm', 'CN=me'], uri: ['spiffe://x/y'], dns: ['a.example', 'b.example'], email: ['me@x.example'], ip: [127, 0, 0, 1] })
  t.equal(new X509Certificate(raw).subjectAltName, 'URI:spiffe://x/y, DNS:a.example, DNS:b.example, IP Address:127.0.0.1, email:me@x.example', 'it is a certificate')
  t.strictSame(namesOf(raw), {
    alternative: ['me@x.example', 'a.example', 'b.example', 'spiffe://x/y'],
    subject: [[['CN', 'me']], [['O', 'Firm']], [['C', 'DE']]],
    written: ['CN=me,O=Firm,C=DE']
  })
})

t.test('the subject as Go writes it', async (t) => {
  const wanted: readonly (readonly [readonly string[], readonly string[]])[] = [
    [['CN=me'], ['CN=me']],
    [['CN=one', 'CN=two'], ['CN=two']],
    [['CN=me', 'C=DE', 'ST=BW', 'L=KA', 'STREET=S', 'POSTALCODE=7', 'SERIALNUMBER=9', 'OU=u'], ['SERIALNUMBER=9,CN=me,POSTALCODE=7,STREET=S,ST=BW,L=KA,OU=u,C=DE']],
    [['OU=a', 'CN=me', 'OU=b'], ['CN=me,OU=a+OU=b']],
    [['DC=com', 'DC=example', 'CN=me'], ['CN=me,DC=com,DC=example', 'CN=me']],
    [['CN=a,b;c"d<e>f\\g'], ['CN=a\\,b\\;c\\"d\\<e\\>f\\\\g']],
    [['CN=# x '], ['CN=\\# x\\ ']],
    [['CN= x#'], ['CN=\\ x#']],
    [['1.2.3.4=odd', 'CN=é'], ['CN=é']],
    [[], ['']]
  ]
  for (const [subject, written] of wanted) t.strictSame(namesOf(rawOf({ subject })).written, written, subject.join(' '))
  t.equal(namesOf(rawOf({ subject: ['1.2.3.4=odd', 'CN=x'] })).subject, null, 'as a name it has to be known in all parts')
})

t.test('names as RFC 4514 writes them', async (t) => {
  t.strictSame(parseName('CN=a, OU = b c ,O=d'), [[['CN', 'a']], [['OU', 'b c']], [['O', 'd']]])
  t.strictSame(parseName('CN=a+OU=b,O=c'), [[['CN', 'a'], ['OU', 'b']], [['O', 'c']]])
  t.strictSame(parseName('CN=a\\,b\\2c\\c3\\a9\\ '), [[['CN', 'a,b,é ']]])
  t.strictSame(parseName('CN=é \u{1F511}'), [[['CN', 'é \u{1F511}']]])
  for (const wrong of ['', 'alice', '=a', 'CN', 'CN=a,', 'CN=a,b', 'CN=a=b', 'CN=#04', 'CN=a\\', 'CN=a\\x', 'CN=a\\4', '+', ',CN=a']) t.equal(parseName(wrong), null, wrong)
})

t.test('names are the same part by part', async (t) => {
  const name = (text: string): DistinguishedName => parseName(text) as DistinguishedName
  t.ok(isSameName(name('CN=a,O=b'), name('cn=a,o=b')))
  t.ok(isSameName(name('CN=a+OU=b'), name('OU=b+CN=a')))
  for (const other of ['O=b,CN=a', 'CN=A,O=b', 'CN=a', 'CN=a,O=b,C=c', 'CN=a+O=b']) t.notOk(isSameName(name('CN=a,O=b'), name(other)), other)
  t.ok(hasSameParts(name('CN=a,O=b,DC=x,DC=y'), name('DC=y,DC=x,O=b,CN=a')))
  for (const other of ['CN=a,CN=b', 'CN=a,CN=a,CN=b', 'CN=a']) t.notOk(hasSameParts(name('CN=a,CN=a'), name(other)), other)
})

t.test('a client certificate names the user', async (t) => {
  const mapped = { ...tcp, verifyAndMap: true }
  const names: Names = { subject: ['C=DE', 'O=Firm', 'CN=me'], dns: ['a.example'], email: ['me@x.example'], uri: ['spiffe://x'] }
  async function user (of: Names, ...users: string[]): Promise<string | null> {
    const some = authenticator({ users: users.map((name) => ({ user: name })) }, [mapped])
    const result = await outcome(some.authenticate(attempt({ user: 'ignored' }, { listener: mapped, certificate: { raw: rawOf(of) } })))
    return typeof result === 'string' ? result : result.username
  }
  t.equal(await user(names, 'CN=me,O=Firm,C=DE', 'spiffe://x', 'a.example', 'me@x.example'), 'me@x.example')
  t.equal(await user(names, 'CN=me,O=Firm,C=DE', 'spiffe://x', 'a.example'), 'a.example')
  t.equal(await user(names, 'CN=me,O=Firm,C=DE', 'spiffe://x'), 'spiffe://x')
  t.equal(await user(names, 'other', 'C=DE,O=Firm,CN=me', 'CN=me,O=Firm,C=DE'), 'CN=me,O=Firm,C=DE')
  t.equal(await user(names, 'C=DE,CN=me,O=Firm'), 'C=DE,CN=me,O=Firm', 'in another order')
  t.equal(await user({ subject: ['1.2.3.4=odd', 'CN=me'] }, 'CN=me'), 'CN=me', 'as Go writes it')
  t.equal(await user({ subject: ['DC=com', '1.2.3.4=odd', 'CN=me'] }, 'CN=me', 'CN=me,DC=com'), 'CN=me,DC=com')
  t.equal(await user(names, 'CN=me', 'me', 'ignored', 'DNS:a.example'), 'no user is the one of the client certificate of "CN=me,O=Firm,C=DE"')
  t.equal(await user({ subject: [] }, 'a'), 'no user is the one of the client certificate of ""')
})

t.test('what a mapped user still needs', async (t) => {
  const mapped = { ...tcp, verifyAndMap: true }
  const some = authenticator({ users: [{ user: 'me@x.example' }, { user: 'two@x.example', pass: 'p' }, { user: 'ws', connectionTypes: ['WEBSOCKET'] }, { user: 'plain', pass: 'p' }] }, [mapped, websocket])
  const certificate = (email: string): { raw: Buffer } => ({ raw: rawOf({ subject: ['CN=x'], email: [email] }) })
  async function enter (...args: Parameters<typeof attempt>): Promise<string | null> {
    const result = await outcome(some.authenticate(attempt(...args)))
    return typeof result === 'string' ? result : result.username
  }
  t.equal(await enter({}, { listener: mapped, certificate: certificate('me@x.example') }), 'me@x.example')
  t.equal(await enter({ pass: 'x' }, { listener: mapped, certificate: certificate('me@x.example') }), 'wrong password or token')
  t.equal(await enter({ pass: 'p' }, { listener: mapped, certificate: certificate('two@x.example') }), 'two@x.example')
  t.match(await enter({}, { listener: mapped, certificate: certificate('ws') }), /no user is the one/)
  for (const nothing of [null, {}]) t.equal(await enter({ user: 'plain', pass: 'p' }, { listener: mapped, certificate: nothing }), 'the client has no certificate')
  t.equal(await enter({}, { listener: mapped, certificate: { raw: Buffer.from('x') } }), 'the client certificate cannot be read')
  t.equal(await enter({ user: 'me@x.example' }, { listener: websocket }), 'the user needs a client certificate', 'no password is none to guess')
  t.equal(await enter({ user: 'ws' }, { listener: websocket }), 'ws', 'who cannot be mapped may have none')
})

t.test('a certificate cut or changed anywhere is an error or names, never anything else', async (t) => {
  const raw = rawOf({ subject: ['DC=com', 'CN=me'], dns: ['a.example'], uri: ['spiffe://x'] })
  for (let length = 0; length < raw.length; length++) {
    try {
      namesOf(raw.subarray(0, length))
    } catch (error) {
      if (!(error instanceof RangeError)) t.fail(`${length}: ${String(error)}`)
    }
  }
  fc.assert(fc.property(fc.nat(raw.length - 1), fc.nat(255), (at, byte) => {
    const changed = Buffer.from(raw)
    changed[at] = byte
    try {
      namesOf(changed)
    } catch (error) {
      return error instanceof RangeError
    }
    return true
  }), { numRuns: 2000 })
})
