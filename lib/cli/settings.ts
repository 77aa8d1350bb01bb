import { Authenticator } from '../auth/authenticator.ts'
import { NatsError } from '../errors.ts'
import { resolveOptions } from '../options.ts'
import type { GatewayOptions, ResolvedOptions } from '../options.ts'
import { authorizationOf } from './authorization-flags.ts'
import { readConfig } from './config.ts'
import type { FileSettings } from './config.ts'
import type { Environment } from './config-parser.ts'
import { dashed, flagRows, readFlags, readVariables } from './flags.ts'
import type { FlagValues } from './flags.ts'
import { optionValue } from './gateway-options.ts'
import { type MqttAccessOption, mqttRules, noMqttAccess } from './mqtt-access.ts'
import { tlsOf } from './tls-flags.ts'

/** An address to listen on; port 0 is any free one. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** What flags, environment and configuration file come to; null is off or not given. */
export interface Settings {
  readonly gateway: GatewayOptions
  readonly http: Address | null
  readonly mqtt: Address | null
  /** Who may connect there. */
  readonly mqttAccess: MqttAccessOption
  readonly redis: string | null
  readonly id: string | null
  readonly debug: boolean
  readonly trace: boolean
  readonly logFile: string | null
  readonly pidFile: string | null
  readonly portsFileDir: string | null
  readonly configFile: string | null
  /** Whether to stop now that the configuration file turned out to be valid. */
  readonly checkConfig: boolean
  readonly warnings: readonly string[]
}

/** What a command line asks for. */
export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'run', readonly settings: Settings }

const MQTT_PORT = 1883

const emptyFile: FileSettings = {
  gateway: {},
  http: null,
  mqtt: null,
  debug: null,
  trace: null,
  logFile: null,
  pidFile: null,
  portsFileDir: null,
  warnings: []
}

/** nats-server's ports: 0 is off and -1 any free one. */
function addressOf (host: string, port: number): Address | null {
  return port === 0 ? null : { host, port: Math.max(port, 0) }
}

function gatewayOf (file: FileSettings, given: FlagValues): GatewayOptions {
  const gateway: Record<string, unknown> = { ...file.gateway }
  for (const [flag, { option }] of flagRows) {
    const value = given[flag]
    if (option !== undefined && value !== undefined) gateway[option] = optionValue(option, value as string | number)
  }
  const authorization = authorizationOf(file.gateway.authorization ?? null, given)
  if (authorization !== null) gateway['authorization'] = authorization
  const tls = tlsOf(file.gateway.tls ?? null, given)
  if (tls !== null) gateway['tls'] = tls
  else delete gateway['tls']
  return gateway
}

/** The MQTT listener: on unless there is a file, which then has to ask for it. */
function mqttOf (file: FileSettings, given: FlagValues, host: string): Address | null {
  if (given.mqtt_port !== undefined) return addressOf(file.mqtt?.host ?? host, given.mqtt_port)
  if (given.config && file.mqtt === null) return null
  return addressOf(file.mqtt?.host ?? host, file.mqtt?.port ?? MQTT_PORT)
}

/** The flag that combines debug and trace wins over the two, and a flag over each environment variable. */
function level (layers: readonly FlagValues[], name: 'debug' | 'trace'): boolean | undefined {
  for (const { DVV, DV, VV, [name]: single } of layers) {
    const value = DVV ?? DV ?? (name === 'trace' ? VV : undefined) ?? single
    if (value !== undefined) return value
  }
}

function warningsOf (file: FileSettings, given: FlagValues): string[] {
  const warnings = [...file.warnings]
  const ignored = flagRows.flatMap(([flag, row]) => row.ignored && given[flag] !== undefined ? row.names.slice(-1).map(dashed) : [])
  if (ignored.length > 0) warnings.push(`nats-server knows these flags, aedes-nats does not obey them: ${ignored.join(', ')}`)
  if (given.jetstream) warnings.push('there is no JetStream: --jetstream has no effect')
  return warnings
}

/** @throws {NatsError} NATS_ERR_OPTION */
function checkUsers (authorization: ResolvedOptions['authorization'], mqttAccess: MqttAccessOption): Authenticator {
  return new Authenticator(authorization, [mqttRules(mqttAccess)])
}

/** Checks what no single value shows (nats-server's server/server.go validateOptions). */
function resolve (gateway: GatewayOptions): ResolvedOptions {
  const options = resolveOptions(gateway)
  const { lameDuckDuration, lameDuckGracePeriod } = options
  if (lameDuckGracePeriod < lameDuckDuration) return options
  throw new NatsError('NATS_ERR_CONFIG', `lame_duck_grace_period is ${lameDuckGracePeriod} ms: allowed is less than lame_duck_duration, ${lameDuckDuration} ms`)
}

function settingsOf (flags: FlagValues, environment: Environment): Settings {
  const variables = readVariables(environment)
  const given: FlagValues = { ...variables, ...flags }
  if (given.test && !given.config) throw new NatsError('NATS_ERR_CONFIG', 'flag -t needs a configuration file: -c <file>')
  const file = given.config ? readConfig(given.config, environment) : emptyFile
  const gateway = gatewayOf(file, given)
  const mqttAccess = file.mqtt?.access ?? noMqttAccess
  const { host, authorization } = resolve(gateway)
  // What the file alone says was checked where it was read.
  if (authorization !== (file.gateway.authorization ?? null)) checkUsers(authorization, mqttAccess)
  return {
    gateway,
    http: addressOf(file.http?.host ?? host, given.http_port ?? file.http?.port ?? 0),
    mqtt: mqttOf(file, given, host),
    mqttAccess,
    redis: given.redis || null,
    id: given.id || null,
    debug: level([flags, variables], 'debug') ?? file.debug ?? false,
    trace: level([flags, variables], 'trace') ?? file.trace ?? false,
    logFile: (given.log ?? file.logFile) || null,
    pidFile: (given.pid ?? file.pidFile) || null,
    portsFileDir: (given.ports_file_dir ?? file.portsFileDir) || null,
    configFile: given.config || null,
    checkConfig: given.test ?? false,
    warnings: warningsOf(file, given)
  }
}

/**
 * Reads the command line, the environment and the configuration file that they name. Of a setting that several of
 * them have, the command line's wins, then the environment's.
 *
 * @throws {NatsError} NATS_ERR_CONFIG or NATS_ERR_OPTION.
 */
export function readCommand (argv: readonly string[], environment: Environment): Command {
  const flags = readFlags(argv)
  if (flags.version) return { kind: 'version' }
  if (flags.help) return { kind: 'help' }
  return { kind: 'run', settings: settingsOf(flags, environment) }
}
