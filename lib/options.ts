import { NatsError } from './errors.ts'
import type { AuthorizationOption } from './options/authorization.ts'
import { type Check, integer, isPlainObject } from './options/check.ts'
import { redis, type RedisOption } from './options/redis.ts'
import type { TlsOptions } from './options/tls.ts'
import type { WebsocketOptions } from './options/websocket.ts'

export type { RedisOption } from './options/redis.ts'

/** The part of pino's interface that the gateway writes to. */
export interface Logger {
  trace (details: object, text: string): void
  debug (details: object, text: string): void
  info (details: object, text: string): void
  warn (details: object, text: string): void
  error (details: object, text: string): void
  /** Asked for 'trace' when a connection begins; one without it is not traced. */
  isLevelEnabled? (level: string): boolean
}

/** How the members of a durable group acknowledge: by a reply to each message, or by the PONG of their client library. */
export type AckKind = 'reply' | 'pong'

/** Queue group names that make a subscription durable, as subject patterns (`*`, `>`); the first that matches counts. */
export type DurablePatterns = Readonly<Record<string, AckKind>>

/** How messages from NATS are published; what is left out is QoS 0, and not retained. */
export interface PublishRule {
  readonly qos?: 0 | 1 | 2
  readonly retain?: boolean
}

/** One more address to listen on; what is left out is as in the options of the gateway. */
export interface ListenerOptions {
  readonly host?: string
  readonly port: number
  readonly mountpoint?: string
}

/** The options of a gateway; every one may be left out. Sizes are bytes, times milliseconds. */
export interface GatewayOptions {
  /** See {@link optionTable} for what each means, allows and defaults to. */
  host?: string
  port?: number
  serverName?: string
  clientAdvertise?: string
  authorization?: AuthorizationOption | null
  tls?: TlsOptions | null
  websocket?: WebsocketOptions | null
  clientId?: string
  headers?: boolean
  maxPayload?: number
  maxControlLine?: number
  maxConnections?: number
  maxConnectionsPerAddress?: number
  maxConnectionRate?: number
  maxSubscriptions?: number
  maxSubTokens?: number
  maxPending?: number
  pingInterval?: number
  pingMax?: number
  writeDeadline?: number
  lameDuckDuration?: number
  lameDuckGracePeriod?: number
  listeners?: readonly ListenerOptions[]
  mountpoint?: string
  mapping?: Readonly<Record<string, string>>
  mappingOnly?: boolean
  publish?: Readonly<Record<string, PublishRule>>
  retained?: boolean
  replies?: Readonly<Record<string, string>>
  replyTimeout?: number
  durable?: DurablePatterns | false
  maxAckPending?: number
  ackWait?: number
  maxDeliver?: number
  deadLetter?: string
  maxDurables?: number
  maxDepth?: number
  expiry?: number
  confirm?: boolean
  redis?: RedisOption | null
  plainNodes?: boolean | 'auto'
  queue?: 'any' | 'local'
  maxPatterns?: number
  logger?: Logger | false
}

/** The options with every default filled in, frozen. */
export type ResolvedOptions = Readonly<Omit<Required<GatewayOptions>, 'logger'>> & { readonly logger: Logger }

const boolean: Check = { allowed: 'true or false', test: (value) => typeof value === 'boolean' }
const name: Check = { allowed: 'a string of printable characters', test: (value) => typeof value === 'string' && /^[^\p{Cc}]+$/u.test(value) }
const address: Check = {
  allowed: "'' or 'host:port', 'host' or '[address]:port'",
  test: (value) => typeof value === 'string' && (value === '' || parseAddress(value) !== null)
}

const durable: Check = {
  allowed: "false, or an object of subject patterns with 'reply' or 'pong' each",
  test: (value) => value === false || (isPlainObject(value) && Object.entries(value).every(([pattern, kind]) =>
    /^[^\s.>]+(?:\.[^\s.>]+)*(?:\.>)?$/.test(pattern) && (kind === 'reply' || kind === 'pong')))
}
const objectOrNull: Check = { allowed: 'null, or an object', test: (value) => value === null || isPlainObject(value) }
const authorization: Check = {
  allowed: 'null, or an object as of the block authorization of nats-server',
  test: (value) => value === null || isPlainObject(value)
}
const clientId: Check = {
  allowed: 'a string without /, + and #, with ${name} and ${username} in it, apart from each other', // eslint-disable-line no-template-curly-in-string -- that is how they are written
  test: (value) => typeof value === 'string' && /^(?:[^\p{Cc}/+#${}]|\$\{(?:name|username)\}(?!\$\{|%))*$/u.test(value)
}
const text: Check = { allowed: 'a string', test: (value) => typeof value === 'string' }
const texts: Check = {
  allowed: 'an object of strings',
  test: (value) => isPlainObject(value) && Object.values(value).every((each) => typeof each === 'string')
}
const publish: Check = {
  allowed: 'an object of subject filters with { qos: 0, 1 or 2, retain: true or false } each',
  test: (value) => isPlainObject(value) && Object.entries(value).every(([filter, rule]) => isSubjectFilter(filter) && isPlainObject(rule) && isPublishRule(rule))
}

function isSubjectFilter (filter: string): boolean {
  return /^(?:>|(?:[^\s.]+\.)*[^\s.]+)$/.test(filter) && !/(?:^|\.)>\./.test(filter)
}

function isPublishRule ({ qos = 0, retain = false, ...others }: Record<string, unknown>): boolean {
  return Object.keys(others).length === 0 && (qos === 0 || qos === 1 || qos === 2) && typeof retain === 'boolean'
}

const listeners: Check = {
  allowed: 'an array of { port: 0 to 65535, host, mountpoint } each, the latter two as the options of that name',
  test: (value) => Array.isArray(value) && value.every((each) => isPlainObject(each) && isListener(each))
}

function isListener ({ host, port, mountpoint, ...others }: Record<string, unknown>): boolean {
  return Object.keys(others).length === 0 && integer(0, 65535).test(port) &&
    (host === undefined || name.test(host)) && (mountpoint === undefined || text.test(mountpoint))
}

const replies: Check = {
  allowed: 'an object of topic filters without # with a topic each, in which + stands for a level that + left open in the filter',
  test: (value) => isPlainObject(value) && Object.entries(value).every(([request, answer]) =>
    isReplyTopic(request) && isReplyTopic(answer) && countOpen(answer as string) <= countOpen(request))
}

function isReplyTopic (topic: unknown): boolean {
  return typeof topic === 'string' && topic !== '' && !/[#\0]/.test(topic) && topic.split('/').every((level) => level === '+' || !level.includes('+'))
}

function countOpen (topic: string): number {
  return topic.split('/').filter((level) => level === '+').length
}

const subject: Check = {
  allowed: 'a subject without wildcards',
  test: (value) => typeof value === 'string' && /^[\w-]+(?:\.[\w-]+)*$/.test(value)
}
const plainNodes: Check = { allowed: "true, false or 'auto'", test: (value) => typeof value === 'boolean' || value === 'auto' }
const queue: Check = { allowed: "'any' or 'local'", test: (value) => value === 'any' || value === 'local' }

const logMethods = ['trace', 'debug', 'info', 'warn', 'error'] as const
const logger: Check = {
  allowed: "an object with pino's methods trace, debug, info, warn and error, or false",
  test: (value) => value === false || (typeof value === 'object' && value !== null &&
    logMethods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function'))
}

function nothing (): void {}
const silent: Logger = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing }

const maxTime = 2 ** 31 - 1

/**
 * One row an option: its default, what it allows, the key of a nats-server configuration file that
 * sets it, whether SIGHUP and `gateway.update` can change it, and what it means.
 */
export interface OptionRow {
  readonly default: unknown
  readonly check: Check
  readonly key?: string
  readonly live?: true
  readonly doc: string
}

export const optionTable = {
  host: { default: '0.0.0.0', check: name, key: 'host', doc: 'Address to listen on.' },
  port: { default: 4222, check: integer(0, 65535), key: 'port', doc: 'Port to listen on; 0 takes any free one.' },
  serverName: { default: 'aedes-nats', check: name, key: 'server_name', doc: '`server_name` of INFO.' },
  clientAdvertise: { default: '', check: address, key: 'client_advertise', doc: 'Address that INFO tells to clients, where it is not the one listened on.' },
  authorization: { default: null, check: authorization, key: 'authorization', live: true, doc: 'Users, passwords, tokens, nkeys, operators and permissions, as in a nats-server configuration; see [below](#authentication). `null` leaves it to the hooks of the host.' },
  tls: { default: null, check: objectOrNull, key: 'tls', live: true, doc: 'TLS for clients, on the same port; see [below](#tls).' },
  websocket: { default: null, check: objectOrNull, key: 'websocket', live: true, doc: 'WebSocket, on a port of its own or on a path of the HTTP server of the host; see [below](#websocket).' },
  clientId: { default: '', check: clientId, key: 'client_id', doc: 'Client id of a NATS connection behind `nats:`, made of `${name}` and `${username}`; random where it is empty or the client does not say so much. A second connection with the same id takes over from the first: replicas of a service that share a name then end each other.' }, // eslint-disable-line no-template-curly-in-string -- that is how they are written
  headers: { default: true, check: boolean, doc: 'Whether messages may have headers (`no_header_support: true` turns them off).' },
  maxPayload: { default: 1_048_576, check: integer(1, 999_999_999), key: 'max_payload', live: true, doc: 'Largest payload, header block included. More closes the connection.' },
  maxControlLine: { default: 4096, check: integer(1, 1_048_576), key: 'max_control_line', live: true, doc: 'Longest control line, without its verb. More closes the connection.' },
  maxConnections: { default: 65_536, check: integer(0, 1_000_000), key: 'max_connections', live: true, doc: 'Most connections at a time; 0 is no limit. The next one is told so and closed.' },
  maxConnectionsPerAddress: { default: 0, check: integer(0, 1_000_000), key: 'max_connections_per_address', live: true, doc: 'Most connections at a time from one address (IPv6: one /64 network); 0 is no limit. The next one is told so and closed.' },
  maxConnectionRate: { default: 0, check: integer(0, 1_000_000), key: 'max_connection_rate', live: true, doc: 'Most new connections a second from one address (IPv6: one /64 network); 0 is no limit. The next one is told to try again later and closed.' },
  maxSubscriptions: { default: 0, check: integer(0, 100_000_000), key: 'max_subscriptions', live: true, doc: 'Most subscriptions of a connection; 0 is no limit. The next one is refused.' },
  maxSubTokens: { default: 0, check: integer(0, 255), key: 'max_sub_tokens', live: true, doc: 'Most tokens of a subscription subject; 0 is no limit. A longer one is refused.' },
  maxPending: { default: 67_108_864, check: integer(1, 1_073_741_824), key: 'max_pending', live: true, doc: 'Most bytes waiting for a connection to read them. More closes it as a slow consumer.' },
  pingInterval: { default: 120_000, check: integer(1, maxTime), key: 'ping_interval', live: true, doc: 'Time between PINGs to a silent client; the first comes after 2 s at the latest.' },
  pingMax: { default: 2, check: integer(0, 1000), key: 'ping_max', live: true, doc: 'Unanswered PINGs that a client may have before it is closed as stale.' },
  writeDeadline: { default: 10_000, check: integer(1, maxTime), key: 'write_deadline', live: true, doc: 'Longest time for a write to finish. A later one closes the connection as a slow consumer.' },
  lameDuckDuration: { default: 120_000, check: integer(1, maxTime), key: 'lame_duck_duration', live: true, doc: 'Time over which lame duck mode closes the connections, one by one.' },
  lameDuckGracePeriod: { default: 10_000, check: integer(0, maxTime), key: 'lame_duck_grace_period', live: true, doc: 'Time that lame duck mode waits before it closes the first connection.' },
  listeners: { default: [], check: listeners, key: 'listeners', doc: 'More addresses to listen on, each with a mountpoint of its own if it has one: `[{ port: 4223, mountpoint: \'factory/\' }]`.' },
  mountpoint: { default: '', check: text, key: 'mountpoint', doc: 'Topic prefix of NATS clients, ending with `/`; `${username}`, `${clientid}`, `${name}` and `${host}` in it are those of the client. It is added to what they publish and subscribe to, and taken off what they get.' }, // eslint-disable-line no-template-curly-in-string -- that is how they are written
  mapping: { default: {}, check: texts, key: 'mapping', doc: 'Subject prefixes with a topic prefix each, `{ \'factory.\': \'plant/7/\' }`; the longest that fits counts.' },
  mappingOnly: { default: false, check: boolean, key: 'mapping_only', doc: 'Whether subjects that `mapping` does not name are NATS-only.' },
  publish: { default: {}, check: publish, key: 'publish', doc: 'How messages from NATS are published to MQTT: subject filters with a rule each, `{ \'alarms.>\': { qos: 1 } }`; the first that matches counts, headers of the message before it.' },
  retained: { default: false, check: boolean, key: 'retained', live: true, doc: 'Whether a new NATS subscription gets the retained messages that match it.' },
  replies: { default: {}, check: replies, key: 'replies', doc: 'Where devices answer that cannot see a reply subject: topic filters of requests with a topic each, `{ \'devices/+/cmd\': \'devices/+/cmd/reply\' }`.' },
  replyTimeout: { default: 10_000, check: integer(1, maxTime), key: 'reply_timeout', live: true, doc: 'Longest time that such an answer is waited for.' },
  durable: { default: { 'acked.*': 'reply', 'durable.*': 'pong' }, check: durable, doc: 'Queue groups that are durable, and how their members acknowledge. `false` for none.' },
  maxAckPending: { default: 1000, check: integer(1, 1_000_000), key: 'durable.max_ack_pending', doc: 'Most messages that a member of a durable group has without acknowledging them.' },
  ackWait: { default: 30_000, check: integer(1, maxTime), key: 'durable.ack_wait', doc: 'Time for an acknowledgement; then the message goes to the next member.' },
  maxDeliver: { default: 0, check: integer(0, 1_000_000), key: 'durable.max_deliver', doc: 'Most deliveries of a message; then it goes to `deadLetter`. 0 is no limit.' },
  deadLetter: { default: 'dead-letter', check: subject, key: 'durable.dead_letter', doc: 'Subject under which what was delivered too often is published, followed by queue group and subject.' },
  maxDurables: { default: 1000, check: integer(1, 1_000_000), key: 'durable.max_durables', doc: 'Most durable groups; a subscription to one more is refused.' },
  maxDepth: { default: 1_000_000, check: integer(1, 1_000_000_000), key: 'durable.max_depth', doc: 'Most messages of a durable group; the oldest are dropped for newer ones.' },
  expiry: { default: 604_800_000, check: integer(1000, Number.MAX_SAFE_INTEGER), key: 'durable.expiry', doc: 'Time without a member after which a durable group is removed (and a filter of it, if no member asks for it).' },
  confirm: { default: false, check: boolean, doc: 'Whether a QoS 1 publish of an MQTT client is stored before it is acknowledged. The stand-alone server sets it.' },
  redis: { default: null, check: redis, doc: 'The Redis of the host, if its persistence is aedes-persistence-redis: an object with `connection` or `url`, and `packetTTL` if the persistence has one.' },
  plainNodes: { default: 'auto', check: plainNodes, key: 'plain_nodes', doc: 'Whether other nodes on the same queue may run Aedes without the gateway: requests that nobody serves are not answered at once then. `\'auto\'` finds out; it takes one heartbeat of Aedes.' },
  queue: { default: 'any', check: queue, key: 'queue', doc: 'Which member of a queue group gets a message: any of the cluster, or, with `\'local\'`, one of the node where the message came in if there is one.' },
  maxPatterns: { default: 100, check: integer(1, 1_000_000), key: 'max_patterns', doc: 'Most patterns that a shared queue is asked for, for nodes without the gateway; more are collapsed to common prefixes. Redis looks at each pattern for each message.' },
  logger: { default: false, check: logger, doc: "Logger with pino's interface; inside Fastify its own is the default. `false` is silent." }
} as const satisfies Record<keyof GatewayOptions, OptionRow>

/** Splits 'host', 'host:port' and '[address]:port'; null for anything else. The port is 0 where none is given. */
export function parseAddress (value: string): { host: string, port: number } | null {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^\s:[\]]+))(?::(\d{1,5}))?$/.exec(value)
  if (match === null) return null
  const port = Number(match[3] ?? 0)
  return port > 65535 ? null : { host: match[1] ?? match[2] ?? '', port }
}

/** @param isSecret whether it may be one: of options that are objects or null, some hold passwords */
function show (value: unknown, isSecret = false): string {
  if (typeof value === 'string') return isSecret ? 'a string' : JSON.stringify(value)
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}

/**
 * Fills in the defaults and checks every value.
 *
 * @throws {NatsError} NATS_ERR_OPTION or NATS_ERR_OPTION_UNKNOWN, naming the option, its value and what is allowed.
 */
export function resolveOptions (input: GatewayOptions): ResolvedOptions {
  const table: Record<string, OptionRow> = optionTable
  const given = input as Record<string, unknown>
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(table, name)) throw new NatsError('NATS_ERR_OPTION_UNKNOWN', name, Object.keys(table).join(', '))
  }
  const resolved: Record<string, unknown> = {}
  for (const [name, row] of Object.entries(table)) {
    const value = given[name] === undefined ? row.default : given[name]
    if (!row.check.test(value)) throw new NatsError('NATS_ERR_OPTION', name, show(value, row.default === null), row.check.allowed)
    resolved[name] = value
  }
  if (resolved['logger'] === false) resolved['logger'] = silent
  const options = Object.freeze(resolved) as ResolvedOptions
  if (options.maxPending < options.maxPayload) {
    throw new NatsError('NATS_ERR_OPTION', 'maxPending', show(options.maxPending), `at least maxPayload, ${options.maxPayload}`)
  }
  return options
}
