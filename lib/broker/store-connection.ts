import type { RedisOption } from '../options.ts'
import type { StoreRedis } from './batch-store.ts'
import { ioredis } from './ioredis.ts'

/** The Redis that packets are stored in, and how to let go of it. */
export interface StoreConnection extends StoreRedis {
  close (): void
}

/**
 * The host's own connection, or one to its URL. A command waits for Redis there while it is away: publishers are held
 * back meanwhile, and what they were told is stored is stored.
 */
export function storeConnection ({ connection, url, packetTTL }: RedisOption): StoreConnection {
  if (connection !== undefined) return { connection, packetTTL, close () {} }
  const { Redis } = ioredis()
  const own = new Redis(url as string, { maxRetriesPerRequest: null })
  // The durable store, or the host's own connections, say that Redis is away.
  own.on('error', () => {})
  return { connection: own, packetTTL, close () { own.disconnect() } }
}
