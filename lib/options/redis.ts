import type { Cluster, Redis } from 'ioredis'
import { type Check, isPlainObject } from './check.ts'

/** The Redis of a host whose persistence is aedes-persistence-redis: one of `connection` and `url`. */
export interface RedisOption {
  /** Of ioredis; the host closes it. */
  connection?: Redis | Cluster
  /** `redis://[user:password@]host:port[/db]`, for a connection of the gateway's own. */
  url?: string
  /** What the host gave to aedes-persistence-redis as `packetTTL`: seconds that a stored packet lives, 0 for ever. */
  packetTTL?: (packet: object) => number
}

export const redis: Check = {
  allowed: "null, or an object with either 'connection' (of ioredis) or 'url' (redis://host:port), and 'packetTTL' if the persistence has one",
  test: (value) => value === null || (isPlainObject(value) && isRedisOption(value))
}

function isRedisOption ({ connection, url, packetTTL, ...others }: Record<string, unknown>): boolean {
  const hasConnection = typeof (connection as { duplicate?: unknown } | undefined)?.duplicate === 'function'
  const hasUrl = typeof url === 'string' && /^rediss?:\/\/\S+$/.test(url)
  return Object.keys(others).length === 0 && hasConnection !== hasUrl &&
    (connection === undefined || url === undefined) && (packetTTL === undefined || typeof packetTTL === 'function')
}
