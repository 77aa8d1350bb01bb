import { writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { cipherList, curveList, isCipher } from '../../lib/transport/tls-names.ts'
import type { TlsOptions } from '../../lib/options/tls.ts'
import { loadIdentities, resolveTls } from '../../lib/transport/tls-options.ts'
import { CertificateAuthority } from '../helper/certificate-authority.ts'
import { scratch } from '../helper/processes.ts'

const authority = new CertificateAuthority(t)
const { cert, key, certFile, keyFile } = authority.local()

t.test('defaults are those of nats-server', async (t) => {
  const settings = resolveTls({ cert, key })
  t.match(settings, { verify: false, minVersion: '1.2', timeout: 2000, handshakeFirst: 0, allowNonTls: false, pinnedCerts: null })
  t.ok(Object.isFrozen(settings))
  t.equal(resolveTls({ cert, key, handshakeFirst: true }).handshakeFirst, Infinity)
  t.equal(resolveTls({ cert, key, handshakeFirst: 'auto' }).handshakeFirst, 50)
  t.equal(resolveTls({ cert, key, handshakeFirst: 300 }).handshakeFirst, 300)
})

const wrong: [string, object, RegExp][] = [
  ['no certificate', {}, /'tls'.*incomplete/],
  ['no key', { cert }, /'tls'.*incomplete/],
  ['both kinds of certificate', { cert, key, certFile }, /'tls'.*incomplete/],
  ['no key in a list', { certificates: [{ cert, key }, { cert }] }, /'tls\.certificates\[1\]'.*incomplete/],
  ['an unknown key in a list', { certificates: [{ cert, key, pfx: '' }] }, /'tls\.certificates' is an object/],
  ['an empty list', { certificates: [] }, /'tls\.certificates'.*empty/],
  ['a list and another', { cert, key, certificates: [{ cert, key }] }, /'tls\.certificates'.*beside/],
  ['an empty certificate', { cert: '', key }, /'tls\.cert' is empty/],
  ['a number for PEM', { cert: 1, key }, /'tls\.cert' is 1/],
  ['both kinds of authorities', { cert, key, ca: cert, caFile: certFile }, /'tls\.caFile'/],
  ['an unknown option', { cert, key, rejectUnauthorized: false }, /'tls\.rejectUnauthorized'/],
  ['an unknown cipher', { cert, key, ciphers: ['TLS_RSA_WITH_RC4_128_SHA'] }, /'tls\.ciphers'/],
  ['an old version', { cert, key, minVersion: '1.1' }, /'tls\.minVersion'/],
  ['no time', { cert, key, timeout: 0 }, /'tls\.timeout' is 0/],
  ['a word for handshakeFirst', { cert, key, handshakeFirst: 'soon' }, /'tls\.handshakeFirst'/],
  ['zero for handshakeFirst', { cert, key, handshakeFirst: 0 }, /'tls\.handshakeFirst' is 0/],
  ['a pin that is none', { cert, key, pinnedCerts: ['abc'] }, /'tls\.pinnedCerts'/]
]
for (const [name, options, message] of wrong) {
  t.test(`refuses ${name}`, async (t) => {
    t.throws(() => resolveTls(options as TlsOptions), message)
  })
}

t.test('refuses what is no object', async (t) => {
  for (const value of [null, [], 'x', 1]) t.throws(() => resolveTls(value as TlsOptions), { code: 'NATS_ERR_OPTION' })
})

t.test('names the file or the reason when a certificate cannot be used, and never the key', async (t) => {
  const folder = scratch(t)
  const garbage = path.join(folder, 'garbage.pem')
  writeFileSync(garbage, 'secret garbage')
  const other = new CertificateAuthority(t).local()
  const failures: [TlsOptions, RegExp][] = [
    [{ certFile: '/nowhere.pem', keyFile }, /'tls\.certFile' is unreadable \(ENOENT.*nowhere\.pem/],
    [{ certFile, keyFile: '/nowhere.key' }, /'tls\.keyFile' is unreadable/],
    [{ certFile, keyFile, caFile: '/nowhere.pem' }, /'tls\.caFile' is unreadable/],
    [{ certFile: garbage, keyFile }, /'tls' is unusable/],
    [{ certFile, keyFile: garbage }, /'tls' is unusable/],
    [{ cert, key: other.key }, /'tls' is unusable \(.*key values mismatch/],
    [{ cert, key, curves: ['P-1'] }, /'tls' is unusable/]
  ]
  for (const [options, message] of failures) {
    try {
      loadIdentities(resolveTls(options))
      t.fail('took it')
    } catch (error) {
      t.match((error as Error).message, message)
      t.notMatch((error as Error).message, /secret|PRIVATE/)
    }
  }
  t.equal(loadIdentities(resolveTls({ certificates: [{ cert, keyFile }, { certFile, key: Buffer.from(key) }] })).length, 2)
})

t.test("names of cipher suites and curves are Go's or OpenSSL's", async (t) => {
  const names = {
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 'ECDHE-RSA-AES128-GCM-SHA256',
    TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: 'ECDHE-ECDSA-AES256-SHA',
    TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256: 'ECDHE-RSA-AES128-SHA256',
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-ECDSA-CHACHA20-POLY1305',
    TLS_RSA_WITH_AES_256_GCM_SHA384: 'AES256-GCM-SHA384',
    'ECDHE-RSA-AES128-GCM-SHA256': 'ECDHE-RSA-AES128-GCM-SHA256'
  }
  for (const [name, openSsl] of Object.entries(names)) {
    t.ok(isCipher(name), name)
    t.match(cipherList([name]), new RegExp(`^TLS_AES_.*:${openSsl}$`))
  }
  t.ok(isCipher('TLS_AES_256_GCM_SHA384'))
  t.equal(cipherList(['TLS_AES_256_GCM_SHA384']).match(/TLS_AES_256/g)?.length, 1)
  t.notOk(isCipher('TLS_FROM_WITH_MARS'))
  t.equal(curveList(['X25519', 'CurveP256', 'P-384']), 'X25519:P-256:P-384')
})
