import t from 'tap'
import type { Test } from 'tap'
import { readConfig } from '../../lib/cli/config.ts'
import { readCommand, type Settings } from '../../lib/cli/settings.ts'
import type { GatewayOptions } from '../../lib/index.ts'
import { CertificateAuthority } from '../helper/certificate-authority.ts'

const authority = new CertificateAuthority(t)
const { caFile } = authority
const { certFile, keyFile } = authority.local()
const other = authority.local('other')
const pair = { certFile, keyFile }
const files = `cert_file: "${certFile}", key_file: "${keyFile}"`

function read (t: Test, text: string): GatewayOptions {
  return readConfig(`${t.testdir({ 'nats.conf': text })}/nats.conf`, {}).gateway
}

function run (argv: string[]): Settings {
  const command = readCommand(argv, {})
  if (command.kind !== 'run') throw new Error(command.kind)
  return command.settings
}

t.test('a tls block is read whole', async (t) => {
  const hash = 'A'.repeat(64)
  t.strictSame(read(t, `tls { ${files} }`).tls, pair)
  t.strictSame(read(t, `tls { ${files}, ca_file: "${caFile}", verify_and_map: true, cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]
    curve_preferences: [CurveP256, X25519], min_version: "1.3", timeout: 1.5, handshake_first: true, pinned_certs: ["${hash}"] }\nallow_non_tls: true`).tls, {
    ...pair,
    caFile,
    verifyAndMap: true,
    ciphers: ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 'TLS_AES_128_GCM_SHA256'],
    curves: ['CurveP256', 'X25519'],
    minVersion: '1.3',
    timeout: 1500,
    handshakeFirst: true,
    pinnedCerts: [hash],
    allowNonTls: true
  })
  t.strictSame(read(t, `tls { certs: [{${files}}, {cert_file: "${other.certFile}", key_file: "${other.keyFile}"}], verify: yes, timeout: 0, pinned_certs: [] }`).tls, {
    certificates: [pair, { certFile: other.certFile, keyFile: other.keyFile }], verify: true
  })
  t.equal(read(t, 'allow_non_tls: true').tls, undefined)
  t.match(readConfig(`${t.testdir({ 'nats.conf': `tls { ${files}, connection_rate_limit: 5, ocsp_peer: true }` })}/nats.conf`, {}).warnings,
    [/does not obey them: tls\.connection_rate_limit, tls\.ocsp_peer$/])
})

t.test('the handshake comes first always, never, or if it begins in time', async (t) => {
  const rows: [string, boolean | number | string][] = [['true', true], ['no', false], ['"on"', true], ['"True"', true], ['"off"', false], ['"false"', false], ['auto', 'auto'], ['AUTO_FALLBACK', 'auto'], ['"300ms"', 300]]
  for (const [text, value] of rows) t.equal(read(t, `tls { ${files}, first: ${text} }`).tls?.handshakeFirst, value, text)
})

t.test('what is wrong in a tls block has a line', async (t) => {
  const rows: [string, RegExp][] = [
    ['', /:2: a certificate needs cert_file and key_file/],
    [`cert_file: "${certFile}"`, /:2: a certificate needs cert_file and key_file/],
    [`key_file: "${keyFile}"`, /:2: a certificate needs cert_file and key_file/],
    [`certs: [{cert_file: "${certFile}"}]`, /:2: a certificate needs/],
    [`certs: [{cert_file: "${certFile}", key: b}]`, /:2: unknown key 'key': known are cert_file, key_file/],
    ['certs: [a]', /:2: certs is "a": allowed is a block in braces/],
    ['certs: []', /:2: certs is empty: allowed is an array with at least one certificate/],
    [`certs: [{${files}}], ${files}`, /:2: cert_file and certs exclude each other/],
    [`cert_file: "/nowhere.pem", key_file: "${keyFile}"`, /:2: cert_file is "\/nowhere\.pem" \(ENOENT[^)]*\): allowed is a file that can be read/],
    [`cert_file: "${certFile}", key_file: "${other.keyFile}"`, /:2: option 'tls' is unusable \(.*key values mismatch/],
    [`${files}, ca_file: "/nowhere.pem"`, /:2: ca_file is "\/nowhere\.pem"/],
    [`${files}, curve_preferences: [none]`, /:2: option 'tls' is unusable/],
    ['cipher_suites: []', /:2: cipher_suites is empty: allowed is an array with at least one name/],
    ['cipher_suites: [[]]', /:2: cipher_suites is an array: allowed is a string/],
    ['cipher_suites: X', /:2: cipher_suites is "X": allowed is an array in brackets/],
    ['cipher_suites: [X]', /:2: cipher_suites is "X": allowed is cipher suites that this Node has/],
    ['min_version: "1.1"', /:2: min_version is "1.1": allowed is "1.2" or "1.3"/],
    ['min_version: 1.2', /:2: min_version is 1.2: allowed is a string/],
    ['pinned_certs: ["abc"]', /:2: pinned_certs is "abc": allowed is a SHA-256 in hex/],
    ['pinned_certs: [true]', /:2: pinned_certs is true: allowed is a string/],
    ['handshake_first: soon', /:2: handshake_first is "soon": allowed is true, false, auto or a duration/],
    ['handshake_first: 1', /:2: handshake_first is 1: allowed is true/],
    ['timeout: x', /:2: timeout is "x": allowed is a duration/],
    ['timeout: -1', /:2: timeout is -1: allowed is a duration/]
  ]
  for (const [text, problem] of rows) t.throws(() => read(t, `\ntls { ${text} }`), { code: 'NATS_ERR_CONFIG', message: problem }, text)
})

t.test('a websocket block is read whole', async (t) => {
  t.equal(read(t, 'websocket {}').websocket, undefined)
  t.equal(read(t, 'websocket { port: 0, compression: true }').websocket, undefined)
  t.strictSame(read(t, 'websocket { listen: ":8080", net: h, no_tls: true }').websocket, { host: 'h', port: 8080, noTls: true })
  t.strictSame(read(t, 'websocket { listen: "a:8080", host: "", no_tls: true }').websocket, { host: 'a', port: 8080, noTls: true })
  t.strictSame(read(t, `websocket { port: -1, host: "", tls { ${files} }, same_origin: true, origins: "https://a", mountpoint: "web/"
    handshake_timeout: "2s", compress: on, authentication { user: u, pass: p }, no_auth_user: n
    jwt_cookie: j, user_cookie: u, pass_cookie: p, token_cookie: t }`).websocket, {
    port: 0,
    tls: pair,
    sameOrigin: true,
    allowedOrigins: ['https://a'],
    handshakeTimeout: 2000,
    compression: true,
    jwtCookie: 'j',
    userCookie: 'u',
    passCookie: 'p',
    tokenCookie: 't',
    mountpoint: 'web/',
    authorization: { user: 'u', pass: 'p', token: null, timeout: null, noAuthUser: 'n' }
  })
  t.match(readConfig(`${t.testdir({ 'nats.conf': 'websocket { port: 1, no_tls: true, advertise: "w:1", authorization { token: t, timeout: 2 } }' })}/nats.conf`, {}).warnings,
    [/: websocket\.advertise$/])
})

t.test('what is wrong in a websocket block has a line', async (t) => {
  const rows: [string, RegExp][] = [
    ['port: 1', /:2: websocket needs a tls block, or no_tls: true/],
    ['port: 1, no_tls: false', /:2: websocket needs a tls block/],
    ['port: 1, no_tls: true, allowed_origins: [a]', /:2: option 'websocket\.allowedOrigins'/],
    ['port: 1, no_tls: true, jwt_cookie: "a;b"', /:2: option 'websocket\.jwtCookie' is a string: allowed is null or the name of a cookie/],
    ['port: 1, tls {}', /:2: a certificate needs cert_file and key_file/],
    ['port: 1, no_tls: true, authorization { users: [] }', /:2: unknown key 'users': known are user, pass, token/],
    ['port: 70000', /:2: port is 70000: allowed is a port from 0 to 65535, or -1 for any free one/]
  ]
  for (const [text, problem] of rows) t.throws(() => read(t, `\nwebsocket { ${text} }`), { code: 'NATS_ERR_CONFIG', message: problem }, text)
})

t.test('flags turn TLS on, and off', async (t) => {
  const flags = ['--tlscert', certFile, '--tlskey', keyFile]
  t.strictSame(run(flags).gateway.tls, pair)
  t.strictSame(run(['--tls', ...flags]).gateway.tls, pair)
  t.strictSame(run(['--tlsverify', '-tlscacert', caFile, ...flags]).gateway.tls, { ...pair, verify: true, caFile })
  t.equal(run(['--tls=false', ...flags]).gateway.tls, undefined)
  t.strictSame(run([]).warnings, [])
  const config = `${t.testdir({ 'nats.conf': `tls { ${files}, timeout: 3 }`, 'several.conf': `tls { certs: [{${files}}] }` })}/nats.conf`
  t.strictSame(run(['-c', config, '--tls', '--tlscert', other.certFile, '--tlskey', other.keyFile]).gateway.tls, { certFile: other.certFile, keyFile: other.keyFile, timeout: 3000 })
  t.strictSame(run(['-c', config.replace('nats.conf', 'several.conf'), '--tlsverify', '--tlscacert', caFile]).gateway.tls, { certificates: [pair], verify: true, caFile })
  t.strictSame(run(['-c', config.replace('nats.conf', 'several.conf'), ...flags]).gateway.tls, pair)
  t.equal(run(['-c', config, '--tls=false']).gateway.tls, undefined)
  for (const argv of [['--tls'], ['--tlsverify'], ['--tlscert', certFile], ['--tlskey', keyFile]]) {
    t.throws(() => run(argv), { code: 'NATS_ERR_CONFIG', message: 'TLS needs a certificate with its key: --tlscert <file> --tlskey <file>' }, argv.join(' '))
  }
  t.throws(() => run(['--tlscert', '/nowhere.pem', '--tlskey', keyFile]), { code: 'NATS_ERR_OPTION', message: /tls\.certFile.*ENOENT/ })
})
