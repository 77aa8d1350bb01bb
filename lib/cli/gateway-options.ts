import { optionTable } from '../options.ts'
import type { GatewayOptions, OptionRow } from '../options.ts'
import type { ConfigNode } from './config-parser.ts'
import type { ConfigReader } from './config-reader.ts'

/** An option of the gateway that a configuration file sets by one value. */
export type OptionName = Exclude<keyof GatewayOptions, 'headers' | 'logger' | 'durable' | 'confirm' | 'redis' | 'listeners' | 'mapping' | 'publish' | 'replies' | 'tls' | 'websocket'>

export const optionRows: Readonly<Record<keyof GatewayOptions, OptionRow>> = optionTable

const keys = (Object.entries(optionTable) as [OptionName, OptionRow][]).flatMap<[string, OptionName]>(([name, { key, default: value }]) => key === undefined || typeof value === 'object' ? [] : [[key, name]])

/** The options by their key at the top of the file, except those that have a block. */
export const optionKeys: ReadonlyMap<string, OptionName> = new Map(keys.filter(([key]) => !key.includes('.')))

/** The options by their key in the block `durable`. */
export const durableKeys: ReadonlyMap<string, OptionName> = new Map(keys.flatMap(([key, name]) => key.startsWith('durable.') ? [[key.slice(8), name]] : []))

/** Other names of the keys, in nats-server's server/opts.go. */
const otherNames: Readonly<Record<string, readonly string[]>> = {
  host: ['net'],
  max_connections: ['max_conn'],
  max_subscriptions: ['max_subs'],
  max_sub_tokens: ['max_subscription_tokens']
}

/** The keys and their other names, as {@link ConfigReader.keys} wants them. */
export const optionNames: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  [...optionKeys.keys()].map((key) => [key, otherNames[key] ?? []])
)

// nats-server takes a bare number of the older two for seconds, with a warning.
const durations: Readonly<Partial<Record<OptionName, 'warn' | 'refuse'>>> = {
  pingInterval: 'warn',
  writeDeadline: 'warn',
  lameDuckDuration: 'refuse',
  lameDuckGracePeriod: 'refuse',
  replyTimeout: 'refuse',
  ackWait: 'refuse',
  expiry: 'refuse'
}

// server/opts.go setBaselineOptions puts the default in the place of these where they are 0.
const zeroIsDefault: ReadonlySet<OptionName> = new Set<OptionName>([
  'port', 'maxConnections', 'maxPayload', 'maxControlLine', 'maxPending', 'pingInterval', 'pingMax', 'writeDeadline', 'lameDuckGracePeriod'
])

const minusOne: Readonly<Partial<Record<OptionName, string>>> = {
  port: 'any free one', maxConnections: 'no limit', maxSubscriptions: 'no limit'
}

/** What nats-server asks beyond the check of the option. */
const least: Readonly<Partial<Record<OptionName, number>>> = { lameDuckDuration: 30_000, maxSubTokens: 1 }

/** What a value in nats-server's terms means to an option: there 0 and '' stand for the default, -1 for any port or no limit. */
export function optionValue<T extends string | number | boolean> (name: OptionName, value: T): string | number | T {
  if (value === '' || (value === 0 && zeroIsDefault.has(name))) return optionRows[name].default as string | number
  return value === -1 && minusOne[name] !== undefined ? 0 : value
}

/** What an option may be in nats-server's terms. */
export function allowedValue (name: OptionName): string {
  const text = optionRows[name].check.allowed + (durations[name] === undefined ? '' : ' milliseconds')
  const floor = least[name] === undefined ? text : `${text}, at least ${least[name]}`
  return minusOne[name] === undefined ? floor : `${floor}, or -1 for ${minusOne[name]}`
}

function valueOf (reader: ConfigReader, name: OptionName, node: ConfigNode): string | number | boolean | null {
  const bare = durations[name]
  if (bare !== undefined) return reader.duration(node, bare)
  if (node.kind === 'string' && typeof optionRows[name].default === 'string') return node.value
  if (node.kind === 'boolean' && optionRows[name].check.test(node.value)) return node.value
  if (node.kind === 'integer' && typeof optionRows[name].default === 'number') return node.value
  return reader.wrong(node, allowedValue(name))
}

/** Takes an option out of the file; null where it is wrong. */
export function readOption (reader: ConfigReader, name: OptionName, node: ConfigNode): string | number | boolean | null {
  const value = valueOf(reader, name, node)
  if (value === null) return null
  const meaning = optionValue(name, value)
  const floor = least[name]
  if (optionRows[name].check.test(meaning) && (floor === undefined || Number(meaning) >= floor)) return meaning
  return reader.wrong(node, allowedValue(name))
}
