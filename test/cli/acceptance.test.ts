import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import t from 'tap'
import { readConfig } from '../../lib/cli/config.ts'
import { CertificateAuthority } from '../helper/certificate-authority.ts'

// What we accept as configuration, beside what Debian's nats-server (2.9) accepts.

const installed = spawnSync('nats-server', ['--version']).status === 0
const { certFile, keyFile } = new CertificateAuthority(t).local()
const dir = t.testdir({ 'extra.conf': 'max_payload: 1MB\n' })
const environment = { LAB_PORT: '4333', LAB_TEXT: '"a b"' }

function accepts (text: string): boolean {
  writeFileSync(`${dir}/nats.conf`, text)
  try {
    readConfig(`${dir}/nats.conf`, environment)
    return true
  } catch {
    return false
  }
}

function natsAccepts (text: string): boolean {
  writeFileSync(`${dir}/nats.conf`, text)
  return spawnSync('nats-server', ['-t', '-c', `${dir}/nats.conf`], { env: { ...process.env, ...environment } }).status === 0
}

const operatorKey = 'OAFSITDMHXNTUG4YYQ7ABM6YRSADZMYNTGBVB6LQ4NZ2N3HBVCTHI6SF'
const nkey = 'UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4'

function user (text: string): string {
  return `authorization { users: [ {user: a, pass: b, ${text}} ] }`
}

function withCertificate (text: string): string {
  return `tls { cert_file: "${certFile}", key_file: "${keyFile}", ${text} }`
}

const valid = [
  '', '# nothing', 'port: 4222', 'port 4222', 'port=4222', 'port = 4222;', '"port": 4222', '{port: 4222}', '{\n"port": 4222,\n "host": "x" }\n',
  'port: 4222}', 'port: 4222,host: x', 'port: 4222;host: x', 'PORT: 12', 'port: 1k', 'port\n4222\n', 'port: -1', 'port: 1 # c\n# d\n// e\n',
  'listen: 4222', 'listen: -1', 'listen: "localhost:-1"', 'listen: localhost:4222', 'listen: 127.0.0.1:4222', 'listen: ":4222"', 'listen: "[::1]:4222"',
  'host: 127.0.0.1', 'net: localhost', 'server_name: "a b"', 'server_name: 4222abc', 'logfile: (\nabc\n)\n', "server_name: 'a\\n\"b'", 'logfile: "a\\tb"',
  'client_advertise: "me:1"', 'http: 8222', 'http: ":8222"', 'http: "localhost:-1"', 'http_port: 8222', 'monitor_port: -1',
  'max_payload: 1MB', 'max_payload: 1Ki', 'max_payload: 0', 'max_control_line: 256', 'max_connections: -1', 'max_conn: 5', 'max_subscriptions: 0', 'max_subs: 12',
  'max_sub_tokens: 16', 'max_pending: 10MB', 'ping_interval: "10s"', 'ping_interval: 500ms', 'ping_interval: "1h30m"', 'ping_interval: ".5s"', 'ping_interval: "5.s"',
  'ping_interval: "+5s"', 'ping_interval: "0"', 'ping_max: 3', 'write_deadline: "2s"', 'lame_duck_duration: "30s"', 'lame_duck_grace_period: "5s"',
  'no_header_support: true', 'debug: TRUE', 'trace: off', 'logfile: "/tmp/x"', 'log_file: /tmp/x', 'pid_file: x', 'pidfile: x', 'ports_file_dir: "/tmp"',
  'foo: 1\nport: $foo', 'B { port: 1 }\nmqtt: $B', 'port: $LAB_PORT', 'server_name: $LAB_TEXT', 'include extra.conf', 'include "./extra.conf"', 'mqtt { P: 5, port: $P }',
  'mqtt { port: 1883 }', 'mqtt {\n port:\n1883\n}', 'mqtt: {port: 1;}', 'mqtt = {port = 1, host = "a" # x\n }', 'mqtt { listen: "a:1883" }', 'mqtt {}', 'mqtt { ack_wait: "1s", max_inflight: 5 }',
  'mqtt { authorization { user: a, password: "p", timeout: 2 } }', 'mqtt { authentication { username: a, pass: "p" } }', 'mqtt { authorization { token: T, timeout: 0.5 }, no_auth_user: "" }',
  'authorization { user: a, password: b, timeout: 1 }', 'authorization { token: x, timeout: 0.5 }', 'authorization { timeout: "2s" }', 'authorization { user: a, pass: $2a$11$abc }',
  'authorization { users: [{user: a}\n{user: b}] }', `authorization { users = [ {nkey: ${nkey}} ] }`, 'authorization { permissions: {publish: a}, users: [{user: a}] }',
  user('permissions: { publish: {allow: ["a", "b.>"], deny: c}, subscribe: "x q" }'), user('permissions: { allow_responses: true }'), user('permissions: { publish: {} }'),
  user('permissions: { allow_responses: { max: 3, expires: "2s" } }'), user('connection_types: [STANDARD, "MQTT"]'),
  'accounts: [A, B]', 'accounts { A { users: [{user: a}] } }\nno_auth_user: a', 'accounts { A { limits { max_conn: 1 }, mappings { a: b }, imports: [], exports: [], jetstream: true} }',
  withCertificate('timeout: "2s"'), withCertificate('timeout: 2'), withCertificate('verify: true, connection_rate_limit: 5'), `${withCertificate('')}\nallow_non_tls: true`, 'allow_non_tls: true',
  'websocket: {port: 1, no_tls: yes, handshake_timeout: 2, allowed_origins: ["http://a", "https://b:1"]}', 'websocket { port: -1, no_tls: true, compress: true, same_origin: no, jwt_cookie: c }', 'websocket {}',
  `websocket { port: -1, ${withCertificate('')} }`,
  'jetstream: false', 'cluster { port: -1 }', 'store_dir: "/tmp"', 'system_account: A', 'resolver: MEMORY', 'account_resolver: mem', 'trusted_keys: []', 'authorization { timeout: 0 }',
  `trusted_keys: ${operatorKey}\nresolver: MEMORY`, 'server_tags: ["a",b,]', 'server_tags: [a\n\n b]'
]

const invalid = [
  'foo: 1', 'foo {}', 'mqtt{port: 1}', 'port 4222 host localhost', 'port:\n4222', ': 1', 'port := 1', 'port: 1# c', 'port: "4222"', 'port: 1.0', 'port: 0x10', 'port: 1]',
  'port: 9223372036854775808', 'port: $foo\nfoo: 1', 'port: $LAB_NONE', 'a: $a', 'port: 1\n}\nhost: x', 'listen: x', 'listen: "x:abc"', 'listen: "::1:4222"', 'listen: "nats://x:4222"', 'listen: 1.5',
  'host: 12', 'server_name: 12', 'server_name: yes', 'server_name: -abc', 'server_name: .abc', 'server_name: 10.0.0.1x', 'server_name: 10-a', 'server_name: (abc)', "server_name: it's",
  'server_name: 2020-01-01T00:00:00Z', 'server_name: "a\\q"', 'server_name: a\\q', 'server_name: $LAB_NONE', 'http: "x"', 'http: "x:abc"', 'http: 1.5', 'http_port: x',
  'max_payload: "1MB"', 'max_payload: 1MBx', 'max_payload: 1.5MB', 'max_payload: 2GB', 'max_control_line: 4GB', 'max_connections: x', 'max_sub_tokens: 0', 'max_sub_tokens: 256',
  'ping_interval: "5"', 'ping_interval: "5s5"', 'ping_interval: ""', 'ping_interval: true', 'ping_max: 1.5', 'write_deadline: abc', 'lame_duck_duration: 120', 'lame_duck_duration: "10s"',
  'lame_duck_grace_period: "-1s"', 'no_header_support: maybe', 'debug: 1', 'debug: "true"', 'pid_file: 12', 'include "nope.conf"', 'include: extra.conf',
  'mqtt: 1', 'mqtt { ports: 1883 }', 'mqtt { authorization: 1 }', 'mqtt { authorization { users: [] } }', 'mqtt { authorization { permissions {} } }', 'mqtt { no_auth_user: 1 }', 'mqtt { port: x }', 'mqtt { listen: "x:abc" }', 'mqtt {port 1 host = "a" }', 'mqtt: {port: , host: x }', 'mqtt { port }', 'mqtt: {port: 1', 'mqtt: {port: 1, host: \n }',
  'authorization: 1', 'authorization { foo: 1 }', 'authorization { user: 12345, pass: b }', 'authorization { user: a, password: b, token: c }', 'authorization { users: [{user: a}], user: b }',
  'authorization { users: [{user: a}], token: b }', 'authorization { users: 1 }', 'authorization { users: [1 ] }', 'authorization { users: [{pass: a}] }', 'authorization { users: [ {user: a}, {user: a} ] }',
  'authorization { users: [ {nkey: UABC} ] }', `authorization { users: [{nkey: ${nkey}, user: a}] }`, 'authorization { user: a, pass: $2b$11$abc }', 'authorization { token: x }\naccounts { A { users: [{user: a}] } }',
  'authorization { users: [{user: a}] }\naccounts { A { users: [{user: a}] } }', user('foo: c'), user('permissions: 1'), user('permissions: {publish: 1 }'), user('permissions: {publish: "a..b"}'),
  user('permissions: {publish: {allow: ["x y z"]}}'), user('permissions: {publish: {allows: [a]}}'), user('permissions: {foo: {allow: [a]}}'), user('permissions: {allow_responses: 3 }'),
  user('permissions: {allow_responses: {max: x}}'), user('permissions: {allow_responses: {expires: 2 }}'), user('permissions: {allow_responses: {expires: "2x"}}'), user('connection_types: [XX]'),
  'accounts { $G { users: [] } }', 'accounts { A: 1 }', 'accounts: [A, A]', 'accounts { A { user: [{user: a}] } }', 'accounts { A { nkey: x } }', 'accounts { A { users: [{user: a}] }, B { users: [{user: a}] } }', 'no_auth_user: 1',
  'operator: "/nowhere"', 'operator: eyJ', 'operator: {}', 'trusted_keys: x', 'trusted_keys: true', `trusted_keys: ${nkey}`, 'resolver_preload: x', 'resolver { type: mem }', 'resolver_preload { A: b }', 'resolver_preload { A: 1 }',
  'tls: true', 'tls { foo: 1 }', 'tls { cert_file: 1 }', 'tls { cert_file: "x" }', 'tls { timeout: x }', 'tls { cipher_suites: [] }', 'tls { pinned_certs: ["a"] }',
  'websocket: 1', 'websocket { port: -1, foo: 1 }', 'websocket: {listen: "x"}', 'websocket { handshake_timeout: "x" }', 'server_tags: [a b]', 'server_tags: [a\n,b]', 'server_tags: [a,,b]'
]

/** nats-server lets pass what cannot work, or finds it only when it starts. */
const stricter = [
  'port', 'server_name: "a\\tb"', 'server_name: ,', 'port: 99999', 'max_connections: -5', 'max_payload: -1', 'write_deadline: "-2s"', 'authorization { timeout: abc }', 'accounts: A', 'no_auth_user: a', 'authorization { password: b }', user('permissions: { publish: "a q" }'), 'resolver_preload {}', `trusted_keys: ${operatorKey}`, 'max_payload: 1kbb',
  // Nobody could connect.
  'tls {}', 'tls { verify: true }', 'websocket { port: -1, compress: true }', 'websocket: {port: 1, no_tls: yes, allowed_origins: [a]}'
]

/** 2.9 does not know these keys of 2.10, takes a warning for an error when it only tests, and stumbles over an array of numbers. */
const laxer = ['ping_interval: 10', 'write_deadline: 2', 'max_closed_clients: 5', 'no_fast_producer_stall: true', withCertificate('min_version: "1.2"'), withCertificate('handshake_first: auto'), 'websocket { user_cookie: a }', 'server_tags: [1]']

t.test('a configuration that nats-server takes is taken', async (t) => {
  for (const text of valid) t.equal(accepts(text), true, text)
})

t.test('a configuration that nats-server refuses is refused', async (t) => {
  for (const text of [...invalid, ...stricter]) t.equal(accepts(text), false, text)
  for (const text of laxer) t.equal(accepts(text), true, text)
})

t.test('nats-server takes and refuses the same', { skip: !installed && 'nats-server is not installed' }, async (t) => {
  for (const text of [...valid, ...stricter]) t.equal(natsAccepts(text), true, text)
  for (const text of [...invalid, ...laxer]) t.equal(natsAccepts(text), false, text)
})

const ignoredKeys = `trace_verbose logtime mappings maps disable_sublist_cache no_sublist_cache https https_port http_base_path cluster gateway
  leaf leafnodes store_dir storedir jetstream logfile_size_limit log_size_limit syslog remote_syslog prof_port
  max_traced_msg_len ocsp resolver_tls resolver_pinned_accounts no_system_account no_system no_sys_acc
  connect_error_reports reconnect_error_reports server_tags default_js_domain`.split(/\s+/)

// Not in 2.9 yet.
const newerKeys = 'logtime_utc prof_block_rate logfile_max_num log_max_num ocsp_cache no_fast_producer_stall max_closed_clients'.split(' ')

t.test('each key of nats-server that we do not obey is known and warned of', async (t) => {
  for (const key of [...ignoredKeys, ...newerKeys]) {
    writeFileSync(`${dir}/nats.conf`, `${key}: true`)
    t.match(readConfig(`${dir}/nats.conf`, {}).warnings, [new RegExp(`does not obey them: ${key}$`)])
  }
})

t.test('nats-server knows the keys that we say it knows', { skip: !installed && 'nats-server is not installed' }, async (t) => {
  for (const key of [...ignoredKeys, ...newerKeys]) {
    writeFileSync(`${dir}/nats.conf`, `${key}: true`)
    const { stderr } = spawnSync('nats-server', ['-t', '-c', `${dir}/nats.conf`], { encoding: 'utf8' })
    t.equal(stderr.includes('unknown field'), newerKeys.includes(key), `${key}: ${stderr}`)
  }
})
