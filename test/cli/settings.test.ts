import t from 'tap'
import type { Test } from 'tap'
import { readCommand } from '../../lib/cli/settings.ts'
import type { Settings } from '../../lib/cli/settings.ts'

function run (argv: string[], environment = {}): Settings {
  const command = readCommand(argv, environment)
  if (command.kind !== 'run') throw new Error(`${command.kind} instead of run`)
  return command.settings
}

/** The settings with a configuration file in front of other arguments. */
function withFile (t: Test, text: string, argv: string[] = [], environment = {}): Settings {
  return run(['-c', `${t.testdir({ 'nats.conf': text })}/nats.conf`, ...argv], environment)
}

t.test('without anything, NATS and MQTT listen on their ports', async (t) => {
  t.strictSame(run([]), {
    gateway: {},
    http: null,
    mqtt: { host: '0.0.0.0', port: 1883 },
    mqttAccess: { credentials: null, timeout: null },
    redis: null,
    id: null,
    debug: false,
    trace: false,
    logFile: null,
    pidFile: null,
    portsFileDir: null,
    configFile: null,
    checkConfig: false,
    warnings: []
  })
})

t.test('help and version win over everything else', async (t) => {
  t.strictSame(readCommand(['-h', '-c', 'nope'], {}), { kind: 'help' })
  t.strictSame(readCommand(['help'], {}), { kind: 'help' })
  t.strictSame(readCommand(['-v', '--help'], {}), { kind: 'version' })
  t.strictSame(readCommand(['version'], { AEDES_NATS_PORT: 'x' }), { kind: 'version' })
})

t.test('flags set what they say', async (t) => {
  t.match(run(['-a', '127.0.0.1', '-p', '5222', '-n', 'n1', '--client_advertise', 'me:1', '-m', '8222', '-l', 'log', '-P', 'pid', '--ports_file_dir', 'dir', '--mqtt-port', '1884', '--redis', 'redis://u:p@h:6379/2', '--id', 'a.b-c_1', '-DV']), {
    gateway: { host: '127.0.0.1', port: 5222, serverName: 'n1', clientAdvertise: 'me:1' },
    http: { host: '127.0.0.1', port: 8222 },
    mqtt: { host: '127.0.0.1', port: 1884 },
    redis: 'redis://u:p@h:6379/2',
    id: 'a.b-c_1',
    debug: true,
    trace: true,
    logFile: 'log',
    pidFile: 'pid',
    portsFileDir: 'dir',
    warnings: []
  })
})

t.test('ports: -1 is any free one, 0 the default or off', async (t) => {
  t.match(run(['-p', '-1', '-m', '-1', '--mqtt-port', '-1']), { gateway: { port: 0 }, http: { port: 0 }, mqtt: { port: 0 } })
  t.match(run(['-p', '0', '-m', '0', '--mqtt-port', '0']), { gateway: { port: 4222 }, http: null, mqtt: null })
  t.match(run(['-a', '', '-n', '']), { gateway: { host: '0.0.0.0', serverName: 'aedes-nats' } })
  t.match(withFile(t, 'http: "h:8222"\nmqtt { host: m, port: -1 }'), { http: { host: 'h', port: 8222 }, mqtt: { host: 'm', port: 0 } })
  t.match(withFile(t, 'http: "h:-1"\nmqtt { port: 0 }'), { http: { host: 'h', port: 0 }, mqtt: null })
  t.match(withFile(t, 'http: "h:8222"\nmqtt { host: m }', ['-m', '1', '--mqtt-port', '2']), { http: { host: 'h', port: 1 }, mqtt: { host: 'm', port: 2 } })
  t.match(withFile(t, 'http: 8222\nmqtt {}', ['-m', '0', '--mqtt-port', '0']), { http: null, mqtt: null })
})

t.test('with a file, MQTT is on if it or a flag says so', async (t) => {
  t.equal(withFile(t, '').mqtt, null)
  t.strictSame(withFile(t, 'host: h\nmqtt {}').mqtt, { host: 'h', port: 1883 })
  t.strictSame(withFile(t, '', ['--mqtt-port', '1884', '-a', 'h']).mqtt, { host: 'h', port: 1884 })
  t.strictSame(withFile(t, '', [], { AEDES_NATS_MQTT_PORT: '1884' }).mqtt, { host: '0.0.0.0', port: 1884 })
  t.equal(withFile(t, 'mqtt {}', [], { AEDES_NATS_MQTT_PORT: '0' }).mqtt, null)
})

t.test('a flag wins over its variable, a variable over the file, the file over the default', async (t) => {
  const text = 'port: 1\nserver_name: file\nlogfile: file\npid_file: file\nports_file_dir: file\nclient_advertise: file\nhttp: 1\nhost: file\nauthorization { user: file, pass: file, timeout: 3 }'
  const variables = Object.fromEntries(['NAME', 'LOG', 'PID', 'PORTS_FILE_DIR', 'CLIENT_ADVERTISE', 'ADDR', 'USER', 'PASS'].map((name) => [`AEDES_NATS_${name}`, 'variable']))
  const flags = ['name', 'log', 'pid', 'ports_file_dir', 'client_advertise', 'addr', 'user', 'pass'].flatMap((name) => [`--${name}`, 'flag'])
  function expected (source: string, port: number): object {
    return {
      gateway: { port, serverName: source, clientAdvertise: source, host: source, authorization: { user: source, pass: source, timeout: 3000 } },
      http: { host: source, port },
      logFile: source,
      pidFile: source,
      portsFileDir: source,
    }
  }
  t.match(withFile(t, text), expected('file', 1))
  t.match(withFile(t, text, [], { ...variables, AEDES_NATS_PORT: '2', AEDES_NATS_HTTP_PORT: '2' }), expected('variable', 2))
  t.match(withFile(t, text, [...flags, '-p', '3', '-m', '3'], { ...variables, AEDES_NATS_PORT: '2', AEDES_NATS_HTTP_PORT: '2' }), expected('flag', 3))
  t.match(withFile(t, text, ['-p', '0', '-l', '']), { gateway: { port: 4222 }, logFile: null })
  t.strictSame(withFile(t, 'max_payload: 1k').gateway, { maxPayload: 1000 })
})

t.test('the levels: combined flags win over single ones, flags over variables, both over the file', async (t) => {
  const rows: [string, string[], Record<string, string>, [boolean, boolean]][] = [
    ['', [], {}, [false, false]],
    ['debug: true', [], {}, [true, false]],
    ['debug: true\ntrace: true', ['-D=false'], {}, [false, true]],
    ['', ['-D'], {}, [true, false]],
    ['', ['-V'], {}, [false, true]],
    ['', ['-VV'], {}, [false, true]],
    ['', ['-DV'], {}, [true, true]],
    ['', ['-DVV'], {}, [true, true]],
    ['debug: true\ntrace: true', ['-DV=false', '-D'], {}, [false, false]],
    ['', [], { AEDES_NATS_DEBUG: 'true' }, [true, false]],
    ['', [], { AEDES_NATS_DV: '1' }, [true, true]],
    ['', ['-V=false'], { AEDES_NATS_DV: '1' }, [true, false]],
    ['debug: true', [], { AEDES_NATS_DEBUG: 'false' }, [false, false]]
  ]
  for (const [text, argv, variables, [debug, trace]] of rows) t.match(withFile(t, text, argv, variables), { debug, trace }, `${text} ${argv.join(' ')} ${JSON.stringify(variables)}`)
})

t.test('the file may come from the environment', async (t) => {
  const file = `${t.testdir({ 'nats.conf': 'port: $P' })}/nats.conf`
  t.match(run([], { AEDES_NATS_CONFIG: file, P: '7' }), { configFile: file, gateway: { port: 7 }, mqtt: null })
  t.throws(() => run(['-c', 'nope.conf']), { code: 'NATS_ERR_CONFIG', message: /^cannot read the configuration file: ENOENT/ })
})

t.test('credentials of the command line stand in the place of a single user or token of the file', async (t) => {
  const of = (settings: Settings): unknown => settings.gateway.authorization
  t.strictSame(of(run(['--auth', 'T'])), { user: null, pass: null, token: 'T' })
  t.strictSame(of(run(['--user', 'b', '--pass', 'c'])), { user: 'b', pass: 'c', token: null })
  t.match(of(withFile(t, 'authorization { user: a, pass: x, timeout: 1 }', ['--user', 'b'])), { user: 'b', pass: 'x', token: null, timeout: 1000 })
  t.match(of(withFile(t, 'authorization { user: a, pass: x }', ['--auth', 'T'])), { user: null, pass: null, token: 'T' })
  t.match(of(withFile(t, 'authorization { token: T }', ['--user', 'b', '--pass', 'c'])), { user: 'b', pass: 'c', token: null })
  t.equal(of(run(['--user', ''])), undefined)
  for (const text of ['authorization { users: [{user: a}] }', 'accounts { A { users: [{user: a}] } }']) {
    t.throws(() => withFile(t, text, ['--user', 'b']), { code: 'NATS_ERR_CONFIG', message: '--user, --pass and --auth exclude the users, accounts and operators of the configuration file' })
  }
  t.throws(() => run(['--pass', 'S3CRET']), { code: 'NATS_ERR_OPTION', message: "option 'authorization' is one with a password and no user: allowed is a user with password, or a token" })
  t.throws(() => run(['--user', 'a', '--auth', 'S3CRET']), { code: 'NATS_ERR_OPTION', message: "option 'authorization' is one with a token and a user" })
})

t.test('WebSocket clients have a timeout of their own', async (t) => {
  const of = (authorization: string): unknown => withFile(t, `authorization { token: T, timeout: 5 }\nwebsocket { port: 1, no_tls: true, ${authorization} }`).gateway.websocket?.authorization
  t.match(of('authorization { timeout: 1 }'), { user: null, pass: null, token: null, noAuthUser: null, timeout: 1000 })
  t.match(of('authentication { token: W, timeout: "300ms" }'), { token: 'W', timeout: 300 })
  t.equal(of('authorization { timeout: 0 }'), undefined, 'the default')
  t.throws(() => of('authorization { timeout: -1 }'), { code: 'NATS_ERR_CONFIG' })
})

t.test('MQTT clients have the users of NATS clients, unless the mqtt block says otherwise', async (t) => {
  const none = { credentials: null, timeout: null }
  t.match(run(['--auth', 'T']), { mqttAccess: none, warnings: [] })
  t.match(withFile(t, 'authorization { user: a }\nmqtt {}'), { mqttAccess: none, warnings: [] })
  t.match(withFile(t, 'mqtt { authorization { user: m, password: "x", timeout: 3 } }'), { mqttAccess: { credentials: { user: 'm', pass: 'x', token: null, noAuthUser: null }, timeout: 3000 } })
  t.match(withFile(t, 'mqtt { authentication { token: T } }'), { mqttAccess: { credentials: { user: null, token: 'T' }, timeout: null } })
  t.match(withFile(t, 'mqtt { authorization { timeout: 0.5 } }'), { mqttAccess: { credentials: null, timeout: 500 } })
  t.match(withFile(t, 'authorization { users: [{user: a}] }\nmqtt { no_auth_user: a }'), { mqttAccess: { credentials: { user: null, token: null, noAuthUser: 'a' } } })
})

t.test('flags of nats-server that are not obeyed are named in one warning', async (t) => {
  t.strictSame(run(['-js', '-routes', 'nats://x', '-T=false', '-ms', '1']).warnings, [
    'nats-server knows these flags, aedes-nats does not obey them: --https_port, --logtime, --routes',
    'there is no JetStream: --jetstream has no effect'
  ])
  t.strictSame(run(['-js=false']).warnings, [])
  t.match(withFile(t, 'cluster {}', ['-sl', 'stop']).warnings, [/does not obey them: cluster$/, /does not obey them: --signal$/])
})

t.test('testing needs a file', async (t) => {
  t.throws(() => run(['-t']), { code: 'NATS_ERR_CONFIG', message: 'flag -t needs a configuration file: -c <file>' })
  t.match(withFile(t, 'port: 1', ['-t']), { checkConfig: true, gateway: { port: 1 } })
  t.throws(() => withFile(t, 'prot: 1', ['-t']), { code: 'NATS_ERR_CONFIG' })
})

t.test('what does not go together is an error', async (t) => {
  t.throws(() => withFile(t, 'max_pending: 1k'), { code: 'NATS_ERR_OPTION', message: "option 'maxPending' is 1000" })
  t.throws(() => withFile(t, 'lame_duck_duration: "30s", lame_duck_grace_period: "30s"'), {
    code: 'NATS_ERR_CONFIG',
    message: 'lame_duck_grace_period is 30000 ms: allowed is less than lame_duck_duration, 30000 ms'
  })
})
