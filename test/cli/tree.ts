import type { Block, ConfigNode } from '../../lib/cli/config-parser.ts'

export type Plain = string | number | boolean | Date | Plain[] | { [key: string]: Plain }

/** The values of a configuration without their places. */
export function plain (node: ConfigNode): Plain {
  if (node.kind === 'block') return plainBlock(node.value)
  if (node.kind === 'array') return node.value.map(plain)
  return node.value
}

export function plainBlock (block: Block): { [key: string]: Plain } {
  return Object.fromEntries([...block].map(([key, node]) => [key, plain(node)]))
}
