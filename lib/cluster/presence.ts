/** Where clients connect to a node: `host:port` each. */
export interface Urls {
  readonly urls: readonly string[]
  /** By WebSocket. */
  readonly wsUrls: readonly string[]
}

/** What a node says of itself with each heartbeat. */
export interface Presence extends Urls {
  /** The id of this life of the gateway. */
  readonly node: string
  /** The id of its Aedes. */
  readonly broker: string
  /** Whether it is about to leave: clients should not come. */
  readonly isLameDuck: boolean
  /** Whether this is the last that is heard of it. */
  readonly isLeaving: boolean
  /** What it has of each other node: epoch and number of the latest batch. */
  readonly received: Readonly<Record<string, readonly [number, number]>>
}

// Nodes that speak another version do not hear each other.
const version = 1

export function presenceText (presence: Presence): string {
  return JSON.stringify({ version, ...presence })
}

/** Null for what no gateway of this version says. */
export function readPresence (text: string): Presence | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null) return null
  const { version: spoken, node, broker, urls, wsUrls, isLameDuck, isLeaving, received } = value as Record<string, unknown>
  if (spoken !== version || typeof node !== 'string' || typeof broker !== 'string' || !Array.isArray(urls) || !Array.isArray(wsUrls)) return null
  if (typeof received !== 'object' || received === null) return null
  return { node, broker, urls: urls.map(String), wsUrls: wsUrls.map(String), isLameDuck: isLameDuck === true, isLeaving: isLeaving === true, received: { __proto__: null, ...received } as unknown as Presence['received'] }
}
