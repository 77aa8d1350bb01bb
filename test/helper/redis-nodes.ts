import { createRequire } from 'node:module'
import { once, type EventEmitter } from 'node:events'
import type { AedesOptions } from 'aedes'
import type { GatewayOptions } from '../../lib/index.ts'
import { type AnyAedes, type Host, startHost, type Teardown, versions } from './brokers.ts'

// Both packages are CommonJS without types of their own.
const require = createRequire(import.meta.url)

interface RedisQueue {
  readonly subConn: EventEmitter & { status: string }
  readonly pubConn: EventEmitter & { status: string }
  readonly state: EventEmitter
}

const mqemitterRedis = require('mqemitter-redis') as (options: { port: number, host: string }) => RedisQueue
const persistenceRedis = require('aedes-persistence-redis') as (options: { port: number, host: string }) => { destroy: () => Promise<void> }

/** A broker on Redis with a gateway on it. Several of them are one cluster. */
export async function startRedisHost (t: Teardown, port: number, options: { create?: (options?: AedesOptions) => Promise<AnyAedes>, aedes?: AedesOptions, nats?: GatewayOptions } = {}): Promise<Host & { mq: RedisQueue }> {
  const mq = mqemitterRedis({ port, host: '127.0.0.1' })
  mq.state.on('error', () => {})
  // mq.on() during ioredis' ready check ends in an error.
  await Promise.all([mq.subConn, mq.pubConn].map((connection) => connection.status === 'ready' || once(connection, 'ready')))
  const persistence = persistenceRedis({ port, host: '127.0.0.1' })
  t.teardown(() => persistence.destroy())
  const create = options.create ?? versions[1]?.create
  const host = await startHost(t, { ...options, ...create === undefined ? {} : { create }, aedes: { ...options.aedes, mq, persistence } })
  return { ...host, mq }
}
