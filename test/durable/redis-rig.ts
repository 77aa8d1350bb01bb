import { once } from 'node:events'
import { createRequire } from 'node:module'
import net from 'node:net'
import { type Cluster, Redis } from 'ioredis'
import { persistenceOf } from '../../lib/broker/persistence.ts'
import type { HostBroker } from '../../lib/broker/host.ts'
import { RedisStore } from '../../lib/durable/redis-store.ts'
import type { StoreTimes } from '../../lib/durable/times.ts'
import type { StoreOptions } from '../../lib/durable/store.ts'
import { type AnyAedes, type Teardown, versions } from '../helper/brokers.ts'
import { raise, type Rig, storeOptions, Told } from './store-suite.ts'
import { silent } from './silent.ts'

// CommonJS without types of its own.
const persistenceRedis = createRequire(import.meta.url)('aedes-persistence-redis') as (options: object) => { destroy: () => Promise<void> }

export interface RedisRig extends Rig {
  readonly redis: Redis
  readonly broker: AnyAedes
  open (t: Teardown, options?: Partial<StoreOptions>, times?: Partial<StoreTimes>, url?: string): Promise<{ store: RedisStore, told: Told }>
}

/** A broker on a Redis, which is emptied first unless it is to share it with others. */
export async function startRig (t: Teardown, url: string, { version = versions[1], empty = true } = {}): Promise<RedisRig> {
  const redis = new Redis(url, { maxRetriesPerRequest: null })
  redis.on('error', () => {})
  if (empty) await redis.flushall()
  const connection = new Redis(url, { maxRetriesPerRequest: null }).on('error', () => {})
  const persistence = persistenceRedis({ conn: connection })
  const broker = await (version as typeof versions[0]).create({ persistence } as object)
  raise(broker)
  t.teardown(async () => {
    connection.disconnect()
    redis.disconnect()
    await new Promise<void>((resolve) => { broker.close(resolve) })
    await persistence.destroy().catch(() => {})
  })
  return { redis, broker, open: (t, options, times, through) => openStore(t, broker, through === undefined ? { connection: redis } : { url: through }, options, times) }
}

/** A store that is closed with the test. */
export async function openStore (t: Teardown, broker: AnyAedes, source: { connection?: Redis | Cluster, url?: string }, options: Partial<StoreOptions> = {}, times: Partial<StoreTimes> = {}): Promise<{ store: RedisStore, told: Told }> {
  const store = new RedisStore({ redis: source, persistence: persistenceOf(broker as unknown as HostBroker), log: silent, options: { ...storeOptions, ...options }, times })
  const told = new Told()
  await store.open(told)
  t.teardown(() => store.close())
  return { store, told }
}

/** Ends a store as a crash does: nothing is given back, and the lease is left to end. */
export function crash (store: RedisStore): void {
  (store as unknown as { node: { calls: { close (): void } } }).node.calls.close()
}

/** A TCP relay in front of Redis that can swallow answers. */
export class Relay {
  url = ''
  /** Once a command matches, its answer is dropped and the connection cut, again and again. */
  cuts: RegExp | null = null

  async start (t: Teardown, port: number): Promise<this> {
    const server = net.createServer((near) => {
      const far = net.connect(port, '127.0.0.1')
      let isCut = false
      near.on('data', (chunk) => {
        isCut ||= this.cuts?.test(chunk.toString('latin1')) === true
        far.write(chunk)
      })
      far.on('data', (chunk) => {
        if (!isCut) {
          near.write(chunk)
          return
        }
        far.end()
        near.destroy()
      })
      for (const [one, other] of [[near, far], [far, near]] as const) one.on('error', () => {}).on('close', () => { other.destroy() })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => { server.close() })
    this.url = `redis://127.0.0.1:${(server.address() as net.AddressInfo).port}`
    return this
  }
}
