import type { GatewayOptions, ListenerOptions, PublishRule } from '../options.ts'
import { checkMountpoint } from '../subject/mountpoint.ts'
import { checkMapping } from '../subject/prefixes.ts'
import type { ConfigNode } from './config-parser.ts'
import type { ConfigReader } from './config-reader.ts'
import { optionRows } from './gateway-options.ts'

// How subjects and topics belong together, and what becomes of messages between them: keys that nats-server does not know.

/** The keys of {@link readNames}, as {@link ConfigReader.keys} wants them. */
export const namesKeys = { mountpoint: [], listeners: [], mapping: [], publish: [], replies: [] } as const

/** Reads the blocks, and checks what `mountpoint` is. */
export function readNames (reader: ConfigReader, at: Partial<Record<keyof typeof namesKeys, ConfigNode>>): GatewayOptions {
  // What is no string is wrong for an option of one value.
  if (at.mountpoint?.kind === 'string') readMountpoint(reader, at.mountpoint)
  const mapping = readEntries<string>(reader, at.mapping, (node, pairs) => {
    const topic = reader.text(node)
    const wrong = topic === null ? null : checkMapping({ ...pairs, [node.name]: topic })
    return wrong === null ? topic : reader.problem(node, `mapping: ${wrong}`)
  })
  const publish = readEntries(reader, at.publish, (node) => checked(reader, 'publish', node, readRule(reader, node)))
  const replies = readEntries(reader, at.replies, (node) => checked(reader, 'replies', node, reader.text(node)))
  const listeners = reader.items(at.listeners)?.flatMap((node) => readListener(reader, node) ?? []) ?? null
  return {
    ...listeners !== null && { listeners },
    ...mapping !== null && { mapping },
    ...publish !== null && { publish },
    ...replies !== null && { replies }
  }
}

/** Reads a block with keys of one's own; what `read` finds wrong is left out. */
function readEntries<T> (reader: ConfigReader, node: ConfigNode | undefined, read: (entry: ConfigNode, before: Readonly<Record<string, T>>) => T | null): Record<string, T> | null {
  const block = reader.block(node)
  if (block === null) return null
  const entries: Record<string, T> = {}
  for (const [name, entry] of block) {
    const value = read(entry, entries)
    if (value !== null) entries[name] = value
  }
  return entries
}

/** What the check of an option says to one entry. */
function checked<T> (reader: ConfigReader, option: 'publish' | 'replies', entry: ConfigNode, value: T | null): T | null {
  const { test, allowed } = optionRows[option].check
  if (value === null || test({ [entry.name]: value })) return value
  return reader.problem(entry, `${option} has '${entry.name}'${typeof value === 'string' ? ` with '${value}'` : ''}: allowed is ${allowed}`)
}

function readRule (reader: ConfigReader, node: ConfigNode): PublishRule | null {
  const block = reader.block(node)
  if (block === null) return null
  const at = reader.keys(block, 'publish.', { qos: [], retain: [] })
  const qos = readQos(reader, at.qos)
  const retain = reader.flag(at.retain)
  return { ...qos !== null && { qos }, ...retain !== null && { retain } }
}

function readQos (reader: ConfigReader, node: ConfigNode | undefined): 0 | 1 | 2 | null {
  const qos = reader.integer(node)
  if (qos === 0 || qos === 1 || qos === 2) return qos
  return node === undefined || qos === null ? null : reader.wrong(node, '0, 1 or 2')
}

function readListener (reader: ConfigReader, node: ConfigNode): ListenerOptions | null {
  const block = reader.block(node)
  if (block === null) return null
  const at = reader.keys(block, 'listeners.', { listen: [], host: ['net'], port: [], mountpoint: [] })
  const listen = reader.listen(at.listen)
  const port = listen?.port ?? reader.port(at.port)
  if (at.listen === undefined && at.port === undefined) return reader.problem(node, 'a listener has no port')
  if (port === null) return null
  const host = listen?.host ?? (reader.text(at.host) || null)
  const mountpoint = readMountpoint(reader, at.mountpoint)
  // As everywhere in nats-server's files, -1 is any free port.
  return { port: Math.max(port, 0), ...host !== null && { host }, ...mountpoint !== null && { mountpoint } }
}

function readMountpoint (reader: ConfigReader, node: ConfigNode | undefined): string | null {
  const mountpoint = reader.text(node)
  const wrong = mountpoint === null ? null : checkMountpoint(mountpoint)
  if (node === undefined || wrong === null) return mountpoint
  return reader.wrong(node, 'a topic prefix that ends with /', `${JSON.stringify(mountpoint)}, with ${wrong}`)
}
