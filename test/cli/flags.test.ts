import { spawnSync } from 'node:child_process'
import t from 'tap'
import { dashed, flagRows, flagTable, readFlags, readVariables, variablesOf } from '../../lib/cli/flags.ts'
import type { FlagName, FlagRow } from '../../lib/cli/flags.ts'
import { usage } from '../../lib/cli/usage.ts'

const samples = { string: ['x', 'x'], integer: ['12', 12], boolean: ['true', true] } as const
const special: Partial<Record<FlagName, string>> = { redis: 'redis://localhost:6379/1' }

function sampleOf (flag: FlagName): readonly [string, string | number | boolean] {
  const text = special[flag]
  return text === undefined ? samples[flagTable[flag].type] : [text, text]
}

t.test('every name of every flag is known in all of Go\'s spellings', async (t) => {
  for (const [flag, { names, type }] of flagRows) {
    const [text, value] = sampleOf(flag)
    for (const name of names) {
      for (const dashes of ['-', '--']) {
        t.strictSame(readFlags([`${dashes}${name}=${text}`]), { [flag]: value }, `${dashes}${name}=${text}`)
        t.strictSame(readFlags(type === 'boolean' ? [dashes + name] : [dashes + name, text]), { [flag]: value }, `${dashes}${name} ${text}`)
      }
    }
  }
})

t.test('every long name has an environment variable', async (t) => {
  for (const [flag, row] of flagRows) {
    const [text, value] = sampleOf(flag)
    for (const variable of variablesOf(flag)) t.strictSame(readVariables({ [variable]: text }), { [flag]: value }, variable)
    t.equal(variablesOf(flag).length, flag === 'help' || flag === 'version' ? 0 : (row.names as readonly string[]).filter((name) => name.length > 1).length)
  }
  t.strictSame(variablesOf('mqtt_port'), ['AEDES_NATS_MQTT_PORT'])
  t.strictSame(variablesOf('addr'), ['AEDES_NATS_ADDR', 'AEDES_NATS_NET'])
  t.strictSame(readVariables({ AEDES_NATS_NET: 'b', AEDES_NATS_ADDR: 'a', PORT: '1' }), { addr: 'a' })
  t.strictSame(readVariables({ AEDES_NATS_NET: 'b', AEDES_NATS_ADDR: '', AEDES_NATS_DEBUG: '0', AEDES_NATS_HTTP_PORT: '-1' }), { addr: 'b', debug: false, http_port: -1 })
})

t.test('variables that others set do no harm', async (t) => {
  t.strictSame(readVariables({ AEDES_NATS_PORT: 'tcp://10.0.0.1:4222', AEDES_NATS_PORT_4222_TCP: 'x', AEDES_NATS_VERSION: '1.2.3', AEDES_NATS_HELP: 'x', AEDES_NATS_P: '1', AEDES_NATS_T: 'x' }), {})
})

t.test('values may begin with a dash and hold an equals sign', async (t) => {
  t.strictSame(readFlags(['-p', '-1', '-m', '-1', '--mqtt-port', '-1']), { port: -1, http_port: -1, mqtt_port: -1 })
  t.strictSame(readFlags(['--pass', '-x', '--user=--a=b', '-auth', '--c']), { pass: '-x', user: '--a=b', auth: '--c' })
  t.strictSame(readFlags(['-l', '']), { log: '' })
})

t.test('the last of several wins, booleans take a value only after an equals sign', async (t) => {
  t.strictSame(readFlags(['-p', '1', '--port=2', '-D', '--debug=false', '-V=T']), { port: 2, debug: false, trace: true })
  t.strictSame(readFlags(['-DV', '-t']), { DV: true, test: true })
})

t.test('the first word that is no flag is a command', async (t) => {
  t.strictSame(readFlags(['version', '--foo']), { version: true })
  t.strictSame(readFlags(['-D', 'HELP']), { debug: true, help: true })
  t.strictSame(readFlags(['--', 'help']), { help: true })
  t.throws(() => readFlags(['-D', 'true']), { code: 'NATS_ERR_CONFIG', message: "unknown command 'true': known are help and version" })
  t.throws(() => readFlags(['-']), { message: "unknown command '-'" })
})

t.test('what is wrong names the flag or the variable', async (t) => {
  const port = 'a whole number from 0 to 65535, or -1 for any free one'
  const rows: [string[], string][] = [
    [['-foo'], 'unknown flag -foo: see --help'],
    [['--foo=secret'], 'unknown flag --foo: see --help'],
    [['--__proto__'], 'unknown flag --__proto__: see --help'],
    [['--P0rt', '1'], 'unknown flag --P0rt: see --help'],
    [['---p=1'], 'unknown flag ---p: see --help'],
    [['-p'], 'flag -p needs a value'],
    [['--config'], 'flag --config needs a value'],
    [['-p', 'abc'], `flag -p is "abc": allowed is ${port}`],
    [['--port', '70000'], `flag --port is "70000": allowed is ${port}`],
    [['--port='], `flag --port is "": allowed is ${port}`],
    [['-m', '-2'], `flag -m is "-2": allowed is ${port}`],
    [['--mqtt-port', '65536'], `flag --mqtt-port is "65536": allowed is ${port}`],
    [['-D=maybe'], 'flag -D is "maybe": allowed is true or false'],
    [['--connect_retries', '1.5'], 'flag --connect_retries is "1.5": allowed is a whole number'],
    [['-n', 'a\n'], 'flag -n is "a\\n": allowed is a string of printable characters'],
    [['--client_advertise', 'a b'], "flag --client_advertise is \"a b\": allowed is '' or 'host:port', 'host' or '[address]:port'"],
    [['--redis', 'localhost'], 'flag --redis is "localhost": allowed is redis://host:port[/db]'],
    [['--redis', 'redis://h:x'], 'flag --redis is "redis://h:x": allowed is redis://host:port[/db]'],
    [['--redis', 'redis://h:1/a'], 'flag --redis is "redis://h:1/a": allowed is redis://host:port[/db]'],
    [['--id', 'a/b'], 'flag --id is "a/b": allowed is letters, digits, dots, dashes and underscores']
  ]
  for (const [argv, message] of rows) t.throws(() => readFlags(argv), { code: 'NATS_ERR_CONFIG', message }, argv.join(' '))
  t.throws(() => readVariables({ AEDES_NATS_MQTT_PORT: 'x' }), { code: 'NATS_ERR_CONFIG', message: `environment variable AEDES_NATS_MQTT_PORT is "x": allowed is ${port}` })
})

t.test('the usage shows every flag', async (t) => {
  const text = usage()
  t.match(text, /^\nUsage: aedes-nats \[options\]\n\nServer Options:\n {4}-a, --addr, --net <host> {9}Bind to host address \(default: 0\.0\.0\.0\)\n {4}-p, --port <port> /)
  t.match(text, /\n {8}--mqtt-port <port> {11}Use port for MQTT/)
  t.match(text, /\n {8}--client_advertise <string> {2}Client URL/)
  for (const [, row] of flagRows as readonly [FlagName, FlagRow][]) {
    for (const name of row.names) t.match(text, new RegExp(`${dashed(name)}\\b`), name)
  }
  for (const line of text.split('\n')) t.ok(line.length <= 140, line)
})

t.test('nats-server has no flag that we do not know', { skip: spawnSync('nats-server', ['-v']).status !== 0 && 'nats-server is not installed' }, async (t) => {
  const { stdout } = spawnSync('nats-server', ['--help'], { encoding: 'utf8' })
  const names = [...stdout.matchAll(/^ {4,8}(-\S.*?)(?: {2}|$)/gm)].flatMap(([, left]) => [...(left ?? '').replace(/<.*/, '').matchAll(/--?(\w+)/g)].map(([, name]) => name ?? ''))
  t.ok(names.length > 50)
  const known = new Set<string>(flagRows.flatMap(([, row]) => row.names))
  for (const name of names) t.ok(known.has(name), name)
})
