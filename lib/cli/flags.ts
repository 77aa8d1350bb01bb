import { parseArgs } from 'node:util'
import { NatsError } from '../errors.ts'
import type { Environment } from './config-parser.ts'
import { allowedValue, optionRows, optionValue } from './gateway-options.ts'
import type { OptionName } from './gateway-options.ts'

type FlagType = 'string' | 'integer' | 'boolean'

/** One flag: its names, what its value is called and what it does. Without `doc` it is no part of the usage. */
export interface FlagRow {
  readonly names: readonly string[]
  readonly type: FlagType
  readonly group?: string
  readonly value?: string
  readonly doc?: string
  /** The option of the gateway that it sets. */
  readonly option?: OptionName
  readonly check?: Check
  /** Whether it does what nats-server's flag of that name does. */
  readonly ignored?: true
}

interface Check {
  readonly allowed: string
  readonly test: (value: string | number) => boolean
}

const port: Check = {
  allowed: 'a whole number from 0 to 65535, or -1 for any free one',
  test: (value) => Number(value) >= -1 && Number(value) <= 65535
}

const redis: Check = {
  allowed: 'redis://host:port[/db]',
  test: (value) => URL.canParse(String(value)) && /^rediss?:\/\/[^/?#]+(?:\/\d*)?$/.test(String(value))
}

const id: Check = {
  allowed: 'letters, digits, dots, dashes and underscores',
  test: (value) => /^[\w.-]*$/.test(String(value))
}

const server = 'Server'
const logging = 'Logging'
const authorization = 'Authorization'
const tls = 'TLS'
const beyond = 'MQTT and Redis'
const common = 'Common'

// nats-server's flags (server/opts.go ConfigureOptions) in the order of its usage, then ours.
export const flagTable = {
  addr: { names: ['a', 'addr', 'net'], type: 'string', group: server, value: 'host', option: 'host', doc: 'Bind to host address (default: 0.0.0.0)' },
  port: { names: ['p', 'port'], type: 'integer', group: server, value: 'port', option: 'port', doc: 'Use port for clients (default: 4222, -1 is any free one)' },
  name: { names: ['n', 'name', 'server_name'], type: 'string', group: server, value: 'name', option: 'serverName', doc: 'Server name' },
  pid: { names: ['P', 'pid'], type: 'string', group: server, value: 'file', doc: 'File to store PID' },
  http_port: { names: ['m', 'http_port'], type: 'integer', group: server, value: 'port', check: port, doc: 'Use port for http monitoring (0 is off, -1 any free one)' },
  config: { names: ['c', 'config'], type: 'string', group: server, value: 'file', doc: 'Configuration file' },
  test: { names: ['t'], type: 'boolean', group: server, doc: 'Test configuration and exit' },
  client_advertise: { names: ['client_advertise'], type: 'string', group: server, value: 'string', option: 'clientAdvertise', doc: 'Client URL to advertise to other servers' },
  ports_file_dir: { names: ['ports_file_dir'], type: 'string', group: server, value: 'dir', doc: 'Creates a ports file in the specified directory (nats-server_<pid>.ports).' },
  log: { names: ['l', 'log'], type: 'string', group: logging, value: 'file', doc: 'File to redirect log output' },
  debug: { names: ['D', 'debug'], type: 'boolean', group: logging, doc: 'Enable debugging output' },
  trace: { names: ['V', 'trace'], type: 'boolean', group: logging, doc: 'Trace the raw protocol' },
  VV: { names: ['VV'], type: 'boolean', group: logging, doc: 'The same' },
  DV: { names: ['DV'], type: 'boolean', group: logging, doc: 'Debug and trace' },
  DVV: { names: ['DVV'], type: 'boolean', group: logging, doc: 'The same' },
  user: { names: ['user'], type: 'string', group: authorization, value: 'user', doc: 'User required for connections' },
  pass: { names: ['pass'], type: 'string', group: authorization, value: 'password', doc: 'Password required for connections' },
  auth: { names: ['auth'], type: 'string', group: authorization, value: 'token', doc: 'Authorization token required for connections' },
  tls: { names: ['tls'], type: 'boolean', group: tls, doc: 'Enable TLS, do not verify clients (default: false)' },
  tlscert: { names: ['tlscert'], type: 'string', group: tls, value: 'file', doc: 'Server certificate file' },
  tlskey: { names: ['tlskey'], type: 'string', group: tls, value: 'file', doc: 'Private key for server certificate' },
  tlsverify: { names: ['tlsverify'], type: 'boolean', group: tls, doc: 'Enable TLS, verify client certificates' },
  tlscacert: { names: ['tlscacert'], type: 'string', group: tls, value: 'file', doc: 'Client certificate CA for verification' },
  mqtt_port: { names: ['mqtt-port'], type: 'integer', group: beyond, value: 'port', check: port, doc: 'Use port for MQTT clients (default: 1883, with -c as it says; 0 is off, -1 any free one)' },
  redis: { names: ['redis'], type: 'string', group: beyond, value: 'url', check: redis, doc: 'Share messages and sessions with other servers over redis://host:port[/db]' },
  id: { names: ['id'], type: 'string', group: beyond, value: 'id', check: id, doc: 'Names this server among those that share a Redis' },
  help: { names: ['h', 'help'], type: 'boolean', group: common, doc: 'Show this message' },
  version: { names: ['v', 'version'], type: 'boolean', group: common, doc: 'Show version' },

  jetstream: { names: ['js', 'jetstream'], type: 'boolean' },
  https_port: { names: ['ms', 'https_port'], type: 'integer', ignored: true },
  signal: { names: ['sl', 'signal'], type: 'string', ignored: true },
  logtime: { names: ['T', 'logtime'], type: 'boolean', ignored: true },
  logtime_utc: { names: ['logtime_utc'], type: 'boolean', ignored: true },
  syslog: { names: ['s', 'syslog'], type: 'boolean', ignored: true },
  remote_syslog: { names: ['r', 'remote_syslog'], type: 'string', ignored: true },
  log_size_limit: { names: ['log_size_limit'], type: 'integer', ignored: true },
  max_traced_msg_len: { names: ['max_traced_msg_len'], type: 'integer', ignored: true },
  store_dir: { names: ['sd', 'store_dir'], type: 'string', ignored: true },
  routes: { names: ['routes'], type: 'string', ignored: true },
  cluster: { names: ['cluster', 'cluster_listen'], type: 'string', ignored: true },
  cluster_name: { names: ['cluster_name'], type: 'string', ignored: true },
  no_advertise: { names: ['no_advertise'], type: 'boolean', ignored: true },
  cluster_advertise: { names: ['cluster_advertise'], type: 'string', ignored: true },
  connect_retries: { names: ['connect_retries'], type: 'integer', ignored: true },
  profile: { names: ['profile'], type: 'integer', ignored: true },
  help_tls: { names: ['help_tls'], type: 'boolean', ignored: true }
} as const satisfies Record<string, FlagRow>

export type FlagName = keyof typeof flagTable

type TypeOf<T extends FlagType> = T extends 'integer' ? number : T extends 'boolean' ? boolean : string

/** The flags that are given, in nats-server's terms: a port of -1 is any free one. */
export type FlagValues = { -readonly [N in FlagName]?: TypeOf<(typeof flagTable)[N]['type']> }

export const flagRows = Object.entries(flagTable) as readonly [FlagName, FlagRow][]

const flagNames = new Map(flagRows.flatMap(([flag, row]) => row.names.map((name) => [name, flag] as const)))

// The spellings of Go's strconv.ParseBool.
const booleans: ReadonlyMap<string, boolean> = new Map([
  ...['1', 't', 'T', 'true', 'TRUE', 'True'].map((text) => [text, true] as const),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((text) => [text, false] as const)
])

/** Whether nats-server's usage shows a flag with one dash; both will do. */
export function isShort (name: string): boolean {
  return name.length === 1 || name === name.toUpperCase()
}

/** The name of a flag with its dashes. */
export function dashed (name: string): string {
  return isShort(name) ? `-${name}` : `--${name}`
}

function valueOf (row: FlagRow, text: string): string | number | boolean | null {
  if (row.type === 'boolean') return booleans.get(text) ?? null
  if (row.type === 'integer' && !/^[+-]?\d{1,15}$/.test(text)) return null
  const value = row.type === 'integer' ? Number(text) : text
  const valid = row.option === undefined
    ? row.check?.test(value) ?? true
    : optionRows[row.option].check.test(optionValue(row.option, value))
  return valid || value === '' ? value : null
}

function allowed (row: FlagRow): string {
  if (row.option !== undefined) return allowedValue(row.option)
  if (row.check !== undefined) return row.check.allowed
  return row.type === 'boolean' ? 'true or false' : 'a whole number'
}

/** Sets a flag to what a text says; `source` is what errors call it. */
function set (values: FlagValues, flag: FlagName, text: string, source: string): void {
  const row: FlagRow = flagTable[flag]
  const value = valueOf(row, text)
  if (value === null) throw new NatsError('NATS_ERR_CONFIG', `${source} is ${JSON.stringify(text)}: allowed is ${allowed(row)}`)
  Object.assign(values, { [flag]: value })
}

/**
 * Reads a command line as Go's package flag does: `-name value`, `--name=value`, booleans only with `=`. The first
 * word that is no flag ends the flags: `help` and `version` are the only ones there are.
 *
 * @throws {NatsError} NATS_ERR_CONFIG, naming the flag.
 */
export function readFlags (argv: readonly string[]): FlagValues {
  const values: FlagValues = {}
  const { tokens } = parseArgs({
    args: argv.map((argument) => /^-[^-]/.test(argument) ? `-${argument}` : argument),
    options: Object.fromEntries([...flagNames].map(([name, flag]) => [name, { type: flagTable[flag].type === 'boolean' ? 'boolean' : 'string' } as const])),
    strict: false,
    allowPositionals: true,
    tokens: true
  })
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue
    if (token.kind === 'positional') {
      const word = token.value.toLowerCase()
      if (word !== 'help' && word !== 'version') throw new NatsError('NATS_ERR_CONFIG', `unknown command '${token.value}': known are help and version`)
      values[word] = true
      break
    }
    const flag = flagNames.get(token.name)
    const written = String(argv[token.index])
    if (flag === undefined) throw new NatsError('NATS_ERR_CONFIG', `unknown flag ${written.replace(/=.*/s, '')}: see --help`)
    // A separate value has a dash too many if it began with one.
    const text = token.inlineValue === false ? argv[token.index + 1] : token.value
    if (text === undefined && flagTable[flag].type !== 'boolean') throw new NatsError('NATS_ERR_CONFIG', `flag ${written} needs a value`)
    set(values, flag, text ?? 'true', `flag ${dashed(token.name)}`)
  }
  return values
}

/** The environment variables of a flag, after its long names. A container image may well have an AEDES_NATS_VERSION. */
export function variablesOf (flag: FlagName): string[] {
  if (flag === 'help' || flag === 'version') return []
  return flagTable[flag].names.filter((name) => name.length > 1).map((name) => `AEDES_NATS_${name.replaceAll('-', '_').toUpperCase()}`)
}

/**
 * Reads the environment variables of the flags. An empty one counts as not set.
 *
 * @throws {NatsError} NATS_ERR_CONFIG, naming the variable.
 */
export function readVariables (environment: Environment): FlagValues {
  const values: FlagValues = {}
  for (const [flag, { type }] of flagRows) {
    const variable = variablesOf(flag).find((name) => environment[name])
    const text = variable === undefined ? undefined : environment[variable]
    // Kubernetes sets NAME_PORT=tcp://10.0.0.1:4222 for each service, which may well be called aedes-nats.
    if (text === undefined || (type === 'integer' && /^(?:tcp|udp|sctp):\/\//.test(text))) continue
    set(values, flag, text, `environment variable ${variable}`)
  }
  return values
}
