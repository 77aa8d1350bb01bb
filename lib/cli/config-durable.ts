import type { AckKind, GatewayOptions } from '../options.ts'
import type { ConfigNode } from './config-parser.ts'
import type { ConfigReader } from './config-reader.ts'
import { durableKeys, optionRows, readOption } from './gateway-options.ts'

/** The block `durable`, which nats-server does not know: `durable: false`, or `durable { groups { "acked.*": reply } ... }`. */
export function readDurable (reader: ConfigReader, node: ConfigNode | undefined): GatewayOptions {
  if (node === undefined) return {}
  if (node.kind === 'boolean' && !node.value) return { durable: false }
  if (node.kind !== 'block') {
    reader.wrong(node, 'false, or a block in braces')
    return {}
  }
  const known = Object.fromEntries([...durableKeys.keys(), 'groups', 'confirm'].map((key) => [key, []]))
  const at = reader.keys(node.value, 'durable.', known)
  const options: Record<string, unknown> = {}
  for (const [key, name] of durableKeys) {
    const value = at[key] === undefined ? null : readOption(reader, name, at[key])
    if (value !== null) options[name] = value
  }
  const confirm = reader.flag(at['confirm'])
  if (confirm !== null) options['confirm'] = confirm
  const groups = readGroups(reader, at['groups'])
  if (groups !== null) options['durable'] = groups
  return options
}

function readGroups (reader: ConfigReader, node: ConfigNode | undefined): Record<string, AckKind> | null {
  const block = reader.block(node)
  if (node === undefined || block === null) return null
  const groups: Record<string, AckKind> = {}
  for (const [pattern, kind] of block) groups[pattern] = (kind.kind === 'string' ? kind.value : '') as AckKind
  const { test, allowed } = optionRows.durable.check
  return test(groups) ? groups : reader.wrong(node, allowed)
}
