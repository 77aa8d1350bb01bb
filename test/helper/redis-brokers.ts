import { once, type EventEmitter } from 'node:events'
import { createRequire } from 'node:module'
import type { AedesOptions } from 'aedes'
import { Redis } from 'ioredis'
import { type AnyAedes, startBroker, type Teardown } from './brokers.ts'

// Both packages are CommonJS without types of their own.
const require = createRequire(import.meta.url)
const mqemitterRedis = require('mqemitter-redis') as (options: { port: number, host: string }) => { subConn: EventEmitter & { status: string }, pubConn: EventEmitter & { status: string }, state: EventEmitter }
const persistenceRedis = require('aedes-persistence-redis') as (options: object) => { destroy (): Promise<void> }

/** A connection to a Redis, closed with the test. */
export function connectTo (t: Teardown, port: number, options: object = {}): Redis {
  const connection = new Redis({ port, host: '127.0.0.1', ...options })
  connection.on('error', () => {})
  t.teardown(() => { connection.disconnect() })
  return connection
}

/**
 * A broker on Redis, without a gateway.
 *
 * @param options `shared`: the queue is on Redis too; `connection`: that of the persistence
 */
export async function startRedisBroker (t: Teardown, port: number, { create, aedes, persistence = {}, shared = false, connection = connectTo(t, port) }: {
  create?: (options?: AedesOptions) => Promise<AnyAedes>
  aedes?: AedesOptions
  persistence?: object
  shared?: boolean
  connection?: object
} = {}): Promise<{ broker: AnyAedes, mqttPort: number, url: string, connection: object }> {
  const options: Record<string, unknown> = { ...aedes, persistence: persistenceRedis({ conn: connection, ...persistence }) }
  if (shared) {
    const mq = mqemitterRedis({ port, host: '127.0.0.1' })
    mq.state.on('error', () => {})
    await Promise.all([mq.subConn, mq.pubConn].map((each) => each.status === 'ready' || once(each, 'ready')))
    options['mq'] = mq
  }
  const { broker, mqttPort } = await startBroker(t, create, options)
  return { broker, mqttPort, url: `mqtt://127.0.0.1:${mqttPort}`, connection }
}
