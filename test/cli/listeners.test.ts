import t from 'tap'
import type { Test } from 'tap'
import { readConfig } from '../../lib/cli/config.ts'
import type { FileSettings } from '../../lib/cli/config.ts'

function read (t: Test, text: string): FileSettings {
  return readConfig(`${t.testdir({ 'nats.conf': text })}/nats.conf`, {})
}

const noTls = {
  certificates: [],
  caFile: null,
  verify: false,
  verifyAndMap: false,
  cipherSuites: null,
  curvePreferences: null,
  minVersion: null,
  timeout: null,
  handshakeFirst: false,
  connectionRateLimit: null,
  pinnedCerts: null
}

t.test('a tls block is read whole', async (t) => {
  const hash = 'A'.repeat(64)
  t.strictSame(read(t, 'tls {}').tls, noTls)
  t.strictSame(read(t, `tls { cert_file: c, key_file: k, ca_file: a, verify_and_map: true, cipher_suites: [X, Y], curve_preferences: ["Z"]
    min_version: "1.3", timeout: 1.5, handshake_first: true, connection_rate_limit: 7, pinned_certs: ["${hash}"] }`).tls, {
    certificates: [{ certFile: 'c', keyFile: 'k' }],
    caFile: 'a',
    verify: true,
    verifyAndMap: true,
    cipherSuites: ['X', 'Y'],
    curvePreferences: ['Z'],
    minVersion: '1.3',
    timeout: 1500,
    handshakeFirst: true,
    connectionRateLimit: 7,
    pinnedCerts: [hash.toLowerCase()]
  })
  t.strictSame(read(t, 'tls { certs: [{cert_file: a, key_file: b}, {cert_file: c, key_file: d}], verify: yes, pinned_certs: [] }').tls, {
    ...noTls, certificates: [{ certFile: 'a', keyFile: 'b' }, { certFile: 'c', keyFile: 'd' }], verify: true
  })
})

t.test('the handshake comes first always, never, or if it begins in time', async (t) => {
  const rows: [string, boolean | number][] = [['true', true], ['no', false], ['"on"', true], ['"True"', true], ['"off"', false], ['"false"', false], ['auto', 50], ['AUTO_FALLBACK', 50], ['"300ms"', 300]]
  for (const [text, value] of rows) t.equal(read(t, `tls { first: ${text} }`).tls?.handshakeFirst, value, text)
})

t.test('what is wrong in a tls block has a line', async (t) => {
  const rows: [string, RegExp][] = [
    ['cert_file: c', /:2: a certificate needs cert_file and key_file/],
    ['key_file: c', /:2: a certificate needs cert_file and key_file/],
    ['certs: [{cert_file: a}]', /:2: a certificate needs/],
    ['certs: [{cert_file: a, key: b}]', /:2: unknown key 'key': known are cert_file, key_file/],
    ['certs: [a]', /:2: certs is "a": allowed is a block in braces/],
    ['certs: [{cert_file: a, key_file: b}], cert_file: c, key_file: d', /:2: cert_file and certs exclude each other/],
    ['cipher_suites: []', /:2: cipher_suites is empty: allowed is an array with at least one name/],
    ['cipher_suites: [[]]', /:2: cipher_suites is an array: allowed is a string/],
    ['cipher_suites: X', /:2: cipher_suites is "X": allowed is an array in brackets/],
    ['min_version: "1.1"', /:2: min_version is "1.1": allowed is "1.2" or "1.3"/],
    ['min_version: 1.2', /:2: min_version is 1.2: allowed is a string/],
    ['pinned_certs: ["abc"]', /:2: pinned_certs is "abc": allowed is a SHA-256 in hex/],
    ['pinned_certs: [true]', /:2: pinned_certs is true: allowed is a string/],
    ['handshake_first: soon', /:2: handshake_first is "soon": allowed is true, false, auto or a duration/],
    ['handshake_first: 1', /:2: handshake_first is 1: allowed is true/],
    ['timeout: x', /:2: timeout is "x": allowed is a duration/]
  ]
  for (const [text, problem] of rows) t.throws(() => read(t, `\ntls { ${text} }`), { message: problem }, text)
})

t.test('a websocket block is read whole', async (t) => {
  const none = {
    host: null,
    port: 0,
    advertise: null,
    noTls: false,
    tls: null,
    sameOrigin: false,
    allowedOrigins: null,
    handshakeTimeout: null,
    compression: false,
    credentials: null,
    jwtCookie: null,
    noAuthUser: null
  }
  t.strictSame(read(t, 'websocket {}').websocket, none)
  t.strictSame(read(t, 'websocket { listen: ":8080", net: h }').websocket, { ...none, host: 'h', port: 8080 })
  t.strictSame(read(t, 'websocket { listen: "a:8080", host: "" }').websocket, { ...none, host: 'a', port: 8080 })
  t.strictSame(read(t, `websocket { port: -1, host: "", advertise: "w:1", no_tls: true, tls { verify: true }, same_origin: true, origins: "https://a"
    handshake_timeout: "2s", compress: on, authentication { user: u, pass: p, timeout: 2 }, jwt_cookie: j, no_auth_user: n }`).websocket, {
    host: null,
    port: -1,
    advertise: 'w:1',
    noTls: true,
    tls: { ...noTls, verify: true },
    sameOrigin: true,
    allowedOrigins: ['https://a'],
    handshakeTimeout: 2000,
    compression: true,
    credentials: { user: 'u', pass: 'p', token: null, timeout: 2000 },
    jwtCookie: 'j',
    noAuthUser: 'n'
  })
  t.match(read(t, 'websocket { tls { ocsp_peer: true } }').warnings, [/: websocket, websocket\.tls\.ocsp_peer$/])
})
