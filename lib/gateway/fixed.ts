import { isDeepStrictEqual } from 'node:util'
import type { GatewayOptions, OptionRow } from '../options.ts'
import { tlsTable } from '../transport/tls-options.ts'
import { websocketTable } from '../transport/websocket-options.ts'

type Table = Readonly<Record<string, OptionRow>>

/**
 * The options of `tls` and `websocket` that change and cannot while the gateway listens, by their path, as
 * `websocket.port`. As in nats-server, certificates can, and whether there is TLS cannot.
 */
export function fixedChanges (before: GatewayOptions, after: GatewayOptions): string[] {
  return [
    ...changesOf('tls', tlsTable, before.tls ?? null, after.tls ?? null),
    ...changesOf('websocket', websocketTable, before.websocket ?? null, after.websocket ?? null)
  ]
}

function changesOf (path: string, table: Table, before: object | null, after: object | null): string[] {
  if (before === null || after === null) return before === after ? [] : [path]
  return Object.keys(table).flatMap((name) => {
    const [old, next] = [before, after].map((options) => (options as Readonly<Record<string, unknown>>)[name] ?? table[name]?.default)
    if (`${path}.${name}` === 'websocket.tls') return changesOf('websocket.tls', tlsTable, old as object | null, next as object | null)
    return table[name]?.live || isDeepStrictEqual(old, next) ? [] : [`${path}.${name}`]
  })
}
