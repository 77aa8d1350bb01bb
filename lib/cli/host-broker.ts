import { Aedes, type Client } from 'aedes'
import mqemitter from 'mqemitter'
import { Qlobber } from 'qlobber'
import type { Logger } from '../options.ts'
import { endCleanSessions } from './clean-sessions.ts'
import type { RedisLink } from './redis.ts'

export interface HostBrokerOptions {
  /** The name of this server; empty for a random one. */
  readonly id: string
  readonly redis: RedisLink | null
  readonly log: Logger
}

/** Aedes' own queue, made to be fast: matching topics is most of what an MQTT message costs in it. */
function localQueue (): object {
  // Beyond `concurrency` messages on their way mqemitter queues in an array, whose shift() is slow.
  const mq = mqemitter({ concurrency: 1000, matchEmptyLevels: true })
  const matcher = new Qlobber({ separator: '/', wildcard_one: '+', wildcard_some: '#', match_empty_levels: true, cache_splits: 1000 })
  return Object.assign(mq, { _matcher: matcher })
}

type Unprotected = Client & { protocol?: string, subscriptions: object, duplicates: object }

/**
 * An Aedes 2 for the stand-alone server. It keeps clients, brokers and subscriptions in plain objects, where a name of
 * `Object.prototype` (`constructor`, `__proto__`) ends the process; here they have no prototype.
 */
export async function createHostBroker ({ id, redis, log }: HostBrokerOptions): Promise<Aedes> {
  const broker = new Aedes({
    // Aedes counts messages from 0 in each life, so no two lives may share an id.
    ...id === '' ? {} : { id: `${id}-${Date.now().toString(36)}` },
    ...redis === null ? { mq: localQueue() } : { mq: redis.mq, persistence: redis.persistence },
    preConnect: (client, _packet, callback) => {
      const plain = client as Unprotected
      if (plain.protocol !== 'nats') {
        plain.subscriptions = Object.create(null)
        plain.duplicates = Object.create(null)
      }
      callback(null, true)
    }
  })
  Object.assign(broker, { clients: Object.create(null), brokers: Object.create(null) })
  ;(broker as unknown as { on (event: 'error', listener: (error: Error) => void): void }).on('error', (error) => { log.error({}, `MQTT broker: ${error.message}`) })
  // The gateway logs the errors of its own.
  const isOwn = (client: object): boolean => (client as Unprotected).protocol === 'nats'
  broker.on('clientError', (client, error) => { if (!isOwn(client)) log.debug({ client: client.id }, `MQTT client error: ${error.message}`) })
  broker.on('connectionError', (client, error) => { if (!isOwn(client)) log.debug({}, `MQTT connection error: ${error.message}`) })
  await broker.listen()
  endCleanSessions(broker)
  return broker
}
