import type { HostLink } from '../broker/link.ts'
import type { ResolvedOptions } from '../options.ts'
import { bury } from './dead-letter.ts'
import { Durables } from './durables.ts'
import type { DurableStore } from './store.ts'
import { persistenceOf } from '../broker/persistence.ts'
import { PersistenceStore } from './persistence-store.ts'
import { RedisStore } from './redis-store.ts'

function storeFor (link: HostLink, options: ResolvedOptions): DurableStore {
  const { redis, logger: log, maxDurables, maxDepth, expiry } = options
  const persistence = persistenceOf(link.broker)
  const settings = { persistence, log, options: { maxDurables, maxDepth, expiry } }
  if (redis !== null) return new RedisStore({ ...settings, redis })
  // aedes-persistence-redis, under whatever name it wraps itself in; another process may be at the same Redis.
  if (link.shared) log.warn({}, 'durable subscriptions: the queue is shared with other nodes, so the option redis is needed: without it a message may go to members of several nodes')
  return new PersistenceStore(settings)
}

/** The durable groups of a gateway; null when no queue group is to be durable. */
export function createDurables (link: HostLink, options: ResolvedOptions): Durables | null {
  if (options.durable === false) return null
  const log = options.logger
  return new Durables({
    store: storeFor(link, options),
    log,
    limits: options,
    bury: (group, held) => bury(group, held, options.deadLetter, log)
  })
}
