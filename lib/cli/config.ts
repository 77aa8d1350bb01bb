import { NatsError } from '../errors.ts'
import type { GatewayOptions } from '../options.ts'
import { readAuthorization } from './config-authorization.ts'
import { operatorKeys } from './config-operators.ts'
import { readDurable } from './config-durable.ts'
import { type MqttSettings, readMqtt } from './config-mqtt.ts'
import { namesKeys, readNames } from './config-names.ts'
import { loadConfig } from './config-parser.ts'
import type { ConfigNode, Environment } from './config-parser.ts'
import { ConfigReader } from './config-reader.ts'
import type { Listen } from './config-reader.ts'
import { readTls } from './config-tls.ts'
import { readWebsocket } from './config-websocket.ts'
import { optionKeys, optionNames, optionValue, readOption } from './gateway-options.ts'

/** What a configuration file says; null where it says nothing. Ports are nats-server's: -1 is any free one, 0 is off. */
export interface FileSettings {
  readonly gateway: GatewayOptions
  readonly http: Listen | null
  readonly mqtt: MqttSettings | null
  readonly debug: boolean | null
  readonly trace: boolean | null
  readonly logFile: string | null
  readonly pidFile: string | null
  readonly portsFileDir: string | null
  readonly warnings: readonly string[]
}

const otherKeys = {
  listen: [],
  durable: [],
  ...namesKeys,
  http: [],
  http_port: ['monitor_port'],
  no_header_support: [],
  authorization: [],
  accounts: [],
  no_auth_user: [],
  ...operatorKeys,
  tls: [],
  allow_non_tls: [],
  websocket: ['ws'],
  mqtt: [],
  ports_file_dir: [],
  pid_file: ['pidfile'],
  debug: [],
  trace: [],
  logfile: ['log_file']
} as const

type Nodes = Partial<Record<keyof typeof otherKeys, ConfigNode>>

// What else nats-server knows at the top of the file (server/opts.go processConfigFileLine).
const ignored = [
  'trace_verbose', 'logtime', 'logtime_utc', 'mappings', 'maps', 'disable_sublist_cache', 'no_sublist_cache', 'https', 'https_port',
  'http_base_path', 'cluster', 'gateway', 'leaf', 'leafnodes', 'store_dir', 'storedir', 'jetstream', 'logfile_size_limit', 'log_size_limit',
  'logfile_max_num', 'log_max_num', 'syslog', 'remote_syslog', 'prof_port', 'prof_block_rate', 'max_traced_msg_len', 'ocsp',
  'resolver_tls', 'resolver_pinned_accounts', 'no_system_account', 'no_system', 'no_sys_acc', 'connect_error_reports', 'reconnect_error_reports', 'server_tags', 'default_js_domain', 'ocsp_cache',
  'no_fast_producer_stall', 'max_closed_clients'
]

function readGateway (reader: ConfigReader, at: Nodes & Partial<Record<string, ConfigNode>>): GatewayOptions {
  const gateway: Record<string, unknown> = {}
  for (const [key, name] of optionKeys) {
    const node = at[key]
    const value = node === undefined ? null : readOption(reader, name, node)
    if (value !== null) gateway[name] = value
  }
  const listen = reader.listen(at.listen)
  if (listen !== null) gateway['port'] = optionValue('port', listen.port)
  if (listen !== null && listen.host !== null) gateway['host'] = listen.host
  const noHeaders = reader.flag(at.no_header_support)
  if (noHeaders !== null) gateway['headers'] = !noHeaders
  const tls = readTls(reader, at.tls, 'tls.')
  const allowNonTls = reader.flag(at.allow_non_tls)
  if (tls !== null) gateway['tls'] = allowNonTls === null ? tls : { ...tls, allowNonTls }
  const authorization = readAuthorization(reader, at)
  if (authorization !== null) gateway['authorization'] = authorization
  const websocket = readWebsocket(reader, at.websocket)
  if (websocket !== null) gateway['websocket'] = websocket
  return { ...gateway, ...readNames(reader, at), ...readDurable(reader, at.durable) }
}

function readHttp (reader: ConfigReader, at: Nodes): Listen | null {
  const listen = reader.listen(at.http)
  const port = reader.port(at.http_port)
  return port === null ? listen : { host: listen?.host ?? null, port }
}

/**
 * Reads a configuration file of nats-server.
 *
 * @throws {NatsError} NATS_ERR_CONFIG, a line with file and line for each thing that is wrong.
 */
export function readConfig (file: string, environment: Environment): FileSettings {
  const reader = new ConfigReader()
  const at: Nodes & Partial<Record<string, ConfigNode>> = reader.keys(loadConfig(file, environment), '', { ...optionNames, ...otherKeys }, ignored)
  const gateway = readGateway(reader, at)
  const settings = {
    gateway,
    http: readHttp(reader, at),
    mqtt: readMqtt(reader, at.mqtt, gateway.authorization ?? null),
    debug: reader.flag(at.debug),
    trace: reader.flag(at.trace),
    logFile: reader.text(at.logfile),
    pidFile: reader.text(at.pid_file),
    portsFileDir: reader.text(at.ports_file_dir)
  }
  if (reader.report !== '') throw new NatsError('NATS_ERR_CONFIG', reader.report)
  const { warnings } = reader
  if (reader.ignored.size > 0) warnings.push(`${file}: nats-server knows these keys, aedes-nats does not obey them: ${[...reader.ignored].join(', ')}`)
  return { ...settings, warnings }
}
