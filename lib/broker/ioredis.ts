import { createRequire } from 'node:module'
import type * as IoRedis from 'ioredis'

/**
 * ioredis, loaded when the first gateway needs it. A gateway without Redis starts faster without it, and runs faster: it
 * makes dozens of instances of `debug`, after which V8 does not inline those that mqtt-packet calls for each packet
 * (370,000 instead of 500,000 messages a second from MQTT to NATS).
 */
export function ioredis (): typeof IoRedis {
  return createRequire(import.meta.url)('ioredis') as typeof IoRedis
}
