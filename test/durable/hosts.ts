import type { Test } from 'tap'
import type { AedesOptions } from 'aedes'
import type { GatewayOptions } from '../../lib/index.ts'
import { type AnyAedes, type Host, startHost, type Teardown, versions } from '../helper/brokers.ts'
import { startRedis } from '../helper/processes.ts'
import { startRedisHost } from '../helper/redis-nodes.ts'

/** A way to store: what every test of durable groups runs on. */
export interface Setting {
  readonly name: string
  readonly mqtt5: boolean
  /** Null where the store is memory. */
  readonly redisPort: number | null
  /** A broker with a gateway; several on Redis are one cluster. */
  start (t: Teardown, options?: { nats?: GatewayOptions, aedes?: AedesOptions }): Promise<Host>
}

/** Both versions of Aedes, on memory and on Redis. */
export async function settings (t: Test): Promise<Setting[]> {
  const redis = await startRedis(t)
  return versions.flatMap(({ name, mqtt5, create }) => [
    { name: `${name}, memory`, mqtt5, redisPort: null, start: (t, options) => startHost(t, { create, ...options }) },
    {
      name: `${name}, Redis`,
      mqtt5,
      redisPort: redis.port,
      start: async (t, { nats, ...options } = {}) => await startRedisHost(t, redis.port, {
        create: create as (options?: AedesOptions) => Promise<AnyAedes>,
        ...options,
        nats: { redis: { url: `redis://127.0.0.1:${redis.port}` }, ...nats }
      })
    }
  ] satisfies Setting[])
}
