import t from 'tap'
import type { Test } from 'tap'
import { readConfig } from '../../lib/cli/config.ts'
import type { FileSettings } from '../../lib/cli/config.ts'
import { optionTable } from '../../lib/options.ts'
import { problems } from './problems.ts'

function read (t: Test, text: string, environment = {}): FileSettings {
  return readConfig(`${t.testdir({ 'nats.conf': text })}/nats.conf`, environment)
}

t.test('an empty file says nothing', async (t) => {
  t.strictSame(read(t, '# nothing\n'), {
    gateway: {},
    http: null,
    mqtt: null,
    debug: null,
    trace: null,
    logFile: null,
    pidFile: null,
    portsFileDir: null,
    warnings: []
  })
})

t.test('every option of the gateway that has a key is read from it', async (t) => {
  const rows: Record<string, [string, unknown]> = {
    host: ['"127.0.0.1"', '127.0.0.1'],
    port: ['5222', 5222],
    server_name: ['n1', 'n1'],
    client_advertise: ['"me:1"', 'me:1'],
    client_id: ['service', 'service'],
    max_payload: ['2MB', 2 * 1048576],
    max_control_line: ['1k', 1000],
    max_connections: ['10', 10],
    max_connections_per_address: ['20', 20],
    max_connection_rate: ['21', 21],
    max_subscriptions: ['11', 11],
    max_sub_tokens: ['12', 12],
    max_pending: ['1GiB', 1073741824],
    ping_interval: ['"1h30m"', 5_400_000],
    ping_max: ['3', 3],
    write_deadline: ['500ms', 500],
    lame_duck_duration: ['"30s"', 30_000],
    lame_duck_grace_period: ['"0.5s"', 500],
    listeners: ['[{ port: 4223 }]', [{ port: 4223 }]],
    mapping: ['{ "iot.": "" }', { 'iot.': '' }],
    publish: ['{ "alarms.>": { qos: 1 } }', { 'alarms.>': { qos: 1 } }],
    replies: ['{ "devices/+/cmd": "devices/+/cmd/reply" }', { 'devices/+/cmd': 'devices/+/cmd/reply' }],
    mountpoint: ['"plant/"', 'plant/'],
    mapping_only: ['true', true],
    retained: ['yes', true],
    reply_timeout: ['"2s"', 2000],
    plain_nodes: ['false', false],
    queue: ['"local"', 'local'],
    max_patterns: ['7', 7],
    'durable.max_ack_pending': ['14', 14],
    'durable.ack_wait': ['"15s"', 15_000],
    'durable.max_deliver': ['16', 16],
    'durable.dead_letter': ['dead.letters', 'dead.letters'],
    'durable.max_durables': ['17', 17],
    'durable.max_depth': ['18', 18],
    'durable.expiry': ['"19h"', 68_400_000]
  }
  for (const [name, { key }] of Object.entries(optionTable) as [string, { key?: string }][]) {
    if (key === undefined || name === 'authorization' || name === 'tls' || name === 'websocket') continue
    t.ok(rows[key], `there is a row for ${key}`)
    const [text, value] = rows[key] ?? ['', '']
    const [block, inner] = key.split('.')
    const write = (written: string): string => inner === undefined ? written : `${block} { ${written} }`
    t.strictSame(read(t, write(`${inner ?? key}: ${text}`)).gateway, { [name]: value }, key)
    t.strictSame(read(t, write(`${(inner ?? key).toUpperCase()} ${text}`)).gateway, { [name]: value }, 'keys have no case')
  }
})

t.test('durable groups', async (t) => {
  t.strictSame(read(t, 'durable: false').gateway, { durable: false })
  t.strictSame(read(t, 'durable { confirm: false, groups { "jobs.>": reply, "seen.*": "pong" } }').gateway, { confirm: false, durable: { 'jobs.>': 'reply', 'seen.*': 'pong' } })
  t.strictSame(problems(t, 'durable: true\n'), ['nats.conf:1: durable is true: allowed is false, or a block in braces'])
  t.match(problems(t, 'durable {\nack_wait: 30\nmax_deliver: -1\ngroups { "a.*": ack }\nack: 1 }'), [
    /^nats\.conf:2: durable\.ack_wait|ack_wait is 30: allowed is a duration in quotes/, /max_deliver is -1: allowed is a whole number from 0/,
    /groups is a block: allowed is false, or an object of subject patterns/, /unknown key 'ack': known are max_ack_pending/
  ])
})

t.test('keys have the other names of nats-server', async (t) => {
  t.strictSame(read(t, 'net: h\nmax_conn: 1\nmax_subs: 2\nmax_subscription_tokens: 3').gateway, { host: 'h', maxConnections: 1, maxSubscriptions: 2, maxSubTokens: 3 })
  t.match(read(t, 'monitor_port: 1\npidfile: p\nlog_file: l\nws { port: 1, no_tls: true }'), { http: { host: null, port: 1 }, pidFile: 'p', logFile: 'l', gateway: { websocket: { port: 1, noTls: true } } })
})

t.test('0 and an empty string stand for the default, -1 for any port or no limit', async (t) => {
  t.strictSame(read(t, 'port: 0\nmax_connections: 0\nmax_payload: 0\nmax_control_line: 0\nmax_pending: 0\nping_interval: "0s"\nping_max: 0\nwrite_deadline: "0"\nlame_duck_grace_period: "0s"\nhost: ""\nserver_name: ""\nclient_advertise: ""').gateway, {
    host: '0.0.0.0',
    port: 4222,
    serverName: 'aedes-nats',
    clientAdvertise: '',
    maxConnections: 65536,
    maxPayload: 1048576,
    maxControlLine: 4096,
    maxPending: 67108864,
    pingInterval: 120_000,
    pingMax: 2,
    writeDeadline: 10_000,
    lameDuckGracePeriod: 10_000
  })
  t.strictSame(read(t, 'port: -1, max_connections: -1, max_subscriptions: -1').gateway, { port: 0, maxConnections: 0, maxSubscriptions: 0 })
  t.strictSame(read(t, 'max_subscriptions: 0').gateway, { maxSubscriptions: 0 })
})

t.test('listen holds host and port', async (t) => {
  t.strictSame(read(t, 'listen: 5222').gateway, { port: 5222 })
  t.strictSame(read(t, 'listen: -1').gateway, { port: 0 })
  t.strictSame(read(t, 'listen: ":5222"\nhost: h').gateway, { host: 'h', port: 5222 })
  t.strictSame(read(t, 'listen: localhost:5222').gateway, { host: 'localhost', port: 5222 })
  t.strictSame(read(t, 'listen: 127.0.0.1:-1').gateway, { host: '127.0.0.1', port: 0 })
  t.strictSame(read(t, 'listen: "[::1]:0"\nport: 1').gateway, { host: '::1', port: 4222 })
})

t.test('the other listeners, files and levels have keys of their own', async (t) => {
  t.match(read(t, 'http: 8222'), { http: { host: null, port: 8222 } })
  t.match(read(t, 'http: "localhost:-1"'), { http: { host: 'localhost', port: -1 } })
  t.match(read(t, 'http_port: 8222'), { http: { host: null, port: 8222 } })
  t.match(read(t, 'http: "h:1"\nhttp_port: 0'), { http: { host: 'h', port: 0 } })
  t.match(read(t, 'mqtt {}'), { mqtt: { host: null, port: null } })
  t.match(read(t, 'mqtt { port: -1 }'), { mqtt: { host: null, port: -1 } })
  t.match(read(t, 'mqtt { host: h }'), { mqtt: { host: 'h', port: null } })
  t.match(read(t, 'mqtt { net: h, listen: 1884 }'), { mqtt: { host: 'h', port: 1884 } })
  t.match(read(t, 'mqtt { listen: "a:1884", host: h, port: 1 }'), { mqtt: { host: 'a', port: 1884 } })
  t.match(read(t, 'debug: yes\ntrace: false\nlogfile: "l"\npid_file: p\nports_file_dir: "/tmp"'), { debug: true, trace: false, logFile: 'l', pidFile: 'p', portsFileDir: '/tmp' })
  t.strictSame(read(t, 'no_header_support: true').gateway, { headers: false })
  t.strictSame(read(t, 'no_header_support: false').gateway, { headers: true })
})

t.test('a bare number of seconds is a duration with a warning', async (t) => {
  const settings = read(t, 'ping_max: 1\nping_interval: 10\nwrite_deadline: 2')
  t.strictSame(settings.gateway, { pingMax: 1, pingInterval: 10_000, writeDeadline: 2000 })
  t.match(settings.warnings, [
    /nats\.conf:2: ping_interval is taken for 10 seconds; write a duration in quotes, such as "10s"$/,
    /nats\.conf:3: write_deadline is taken for 2 seconds/
  ])
})

t.test('keys of nats-server that are not obeyed are named in one warning', async (t) => {
  const settings = read(t, 'jetstream { store_dir: "x" }\ncluster: 1\nPort: 1\nMAPPINGS = {}\nmqtt { ack_wait: 1, tls {}, port: 1 }\naccounts { A { users: [], exports: [] } }\nwebsocket { advertise: "a" }')
  t.equal(settings.warnings.length, 1)
  t.match(settings.warnings[0], /nats\.conf: nats-server knows these keys, aedes-nats does not obey them: jetstream, cluster, mappings, accounts\.A\.exports, websocket\.advertise, mqtt\.ack_wait, mqtt\.tls$/)
})

t.test('a key that nobody knows is an error, unless a variable refers to it', async (t) => {
  t.match(problems(t, 'port: 1\nprot: 2'), [/^nats\.conf:2: unknown key 'prot': known are host, port, server_name, .*, listen, durable, .*, http, .*, logfile$/])
  t.strictSame(problems(t, 'mqtt {\nport: 1\nporto: 2 }'), ["nats.conf:3: unknown key 'porto': known are listen, host, port, authorization, no_auth_user"])
  t.strictSame(read(t, 'MINE: 1\nport: $MINE').gateway, { port: 1 })
  t.match(read(t, 'mqtt { P: 7, port: $P }').mqtt, { host: null, port: 7 })
})

t.test('all that is wrong is reported, each with its line and what is allowed', async (t) => {
  const rows: [string, string][] = [
    ['port: x', 'port is "x": allowed is a whole number from 0 to 65535, or -1 for any free one'],
    ['port: "4222"', 'port is "4222": allowed is a whole number from 0 to 65535, or -1 for any free one'],
    ['port: 70000', 'port is 70000: allowed is a whole number from 0 to 65535, or -1 for any free one'],
    ['port: 1.0', 'port is 1: allowed is a whole number from 0 to 65535, or -1 for any free one'],
    ['host: 12', 'host is 12: allowed is a string of printable characters'],
    ['server_name: yes', 'server_name is true: allowed is a string of printable characters'],
    ['server_name: "a\\n"', 'server_name is "a\\n": allowed is a string of printable characters'],
    ['client_advertise: "a:b"', 'client_advertise is "a:b": allowed is \'\' or \'host:port\', \'host\' or \'[address]:port\''],
    ['max_payload: 5GB', 'max_payload is 5368709120: allowed is a whole number from 1 to 999999999'],
    ['max_payload: 1MBx', 'max_payload is "1MBx": allowed is a whole number from 1 to 999999999'],
    ['max_connections: -2', 'max_connections is -2: allowed is a whole number from 0 to 1000000, or -1 for no limit'],
    ['max_sub_tokens: 0', 'max_sub_tokens is 0: allowed is a whole number from 0 to 255, at least 1'],
    ['ping_interval: soon', 'ping_interval is "soon": allowed is a duration such as "10s", "500ms" or "1h30m"'],
    ['ping_interval: "600h"', 'ping_interval is "600h": allowed is a whole number from 1 to 2147483647 milliseconds'],
    ['ping_interval: true', 'ping_interval is true: allowed is a duration in quotes such as "10s", "500ms" or "1h30m"'],
    ['write_deadline: 1.5', 'write_deadline is 1.5: allowed is a duration in quotes such as "10s", "500ms" or "1h30m"'],
    ['lame_duck_duration: 60', 'lame_duck_duration is 60: allowed is a duration in quotes such as "10s", "500ms" or "1h30m"'],
    ['lame_duck_duration: "29s"', 'lame_duck_duration is "29s": allowed is a whole number from 1 to 2147483647 milliseconds, at least 30000'],
    ['listen: x', 'listen is "x": allowed is a port or \'host:port\''],
    ['listen: "a:b"', 'listen is "a:b": allowed is a port or \'host:port\''],
    ['listen: "::1:4222"', 'listen is "::1:4222": allowed is a port or \'host:port\''],
    ['listen: true', 'listen is true: allowed is a port or \'host:port\''],
    ['listen: "a:70000"', 'listen is "a:70000": allowed is a port from 0 to 65535, or -1 for any free one'],
    ['http_port: -2', 'http_port is -2: allowed is a port from 0 to 65535, or -1 for any free one'],
    ['http_port: x', 'http_port is "x": allowed is a whole number'],
    ['http: []', 'http is an array: allowed is a port or \'host:port\''],
    ['mqtt: 1883', 'mqtt is 1883: allowed is a block in braces'],
    ['debug: 1', 'debug is 1: allowed is true or false'],
    ['trace: {}', 'trace is a block: allowed is true or false'],
    ['logfile: 2026-11-23T06:04:11Z', 'logfile is a date: allowed is a string'],
    ['no_header_support: maybe', 'no_header_support is "maybe": allowed is true or false']
  ]
  for (const [text, problem] of rows) t.strictSame(problems(t, `\n${text}`), [`nats.conf:2: ${problem}`])
  t.match(problems(t, 'port: x\nfoo: 1\ndebug: 2'), [/^nats\.conf:1: port/, /^nats\.conf:2: unknown key 'foo'/, /^nats\.conf:3: debug/])
})
