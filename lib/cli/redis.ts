import { setTimeout as delay } from 'node:timers/promises'
import persistenceRedis from 'aedes-persistence-redis'
import { Redis } from 'ioredis'
import mqemitterRedis from 'mqemitter-redis'
import { NatsError } from '../errors.ts'
import type { Logger } from '../options.ts'
import { type RedisQueue, speedUp } from './redis-queue.ts'

// How long Redis may take to answer when the server starts, in milliseconds.
const patience = 10_000
// And when it stops.
const farewell = 1000

/** What joins brokers: their queue and their persistence on one Redis. */
export interface RedisLink {
  readonly mq: object
  readonly persistence: object
  /** For what is stored in batches, which are large. */
  readonly connection: Redis
  /** What is wrong with Redis, or null. */
  problem (): string | null
  close (): Promise<void>
}

function place (url: string): string {
  const { hostname, port, pathname } = new URL(url)
  return `${hostname}:${port === '' ? '6379' : port}${pathname === '/' ? '' : pathname}`
}

/**
 * Connects to Redis.
 *
 * @param url `redis://[user:password@]host:port[/db]`
 * @throws {NatsError} NATS_ERR_REDIS when it does not answer within ten seconds
 */
export async function connectRedis (url: string, log: Logger): Promise<RedisLink> {
  let down: string | null = null
  const failed = (error: Error): void => {
    // All connections fail at once, and again with each attempt.
    if (down === null) log.error({}, `Redis at ${place(url)} is away, trying again: ${error.message || String((error as NodeJS.ErrnoException).code)}`)
    down = error.message
  }
  const back = (): void => {
    if (down !== null && connections.every((connection) => connection.status === 'ready')) {
      down = null
      log.info({}, `Redis at ${place(url)} is back`)
    }
  }
  // A command that is given up is a subscription or a message lost: it waits for Redis instead.
  // Only the persistence is pipelined by ioredis, which would let subscriptions overtake unsubscriptions, and hold each
  // batch of the queue back until the one before has been answered.
  const open = (enableAutoPipelining: boolean): Redis => new Redis(url, { enableAutoPipelining, maxRetriesPerRequest: null })
  const connections = [open(false), open(false), open(true), open(false)] as const
  const [subConn, pubConn, conn, connection] = connections
  for (const connection of connections) connection.on('error', failed).on('ready', back)
  const leave = (): void => { for (const connection of connections) connection.disconnect() }
  // mq.on() during ioredis' ready check ends in "Connection in subscriber mode".
  if (!await allReady(connections)) {
    leave()
    throw new NatsError('NATS_ERR_REDIS', place(url), down ?? `no answer in ${patience / 1000} s`)
  }
  for (const connection of [subConn, pubConn]) quitQuietly(connection)
  const mq = mqemitterRedis({ subConn, pubConn })
  Object.assign(mq, safeNames())
  speedUp(mq as unknown as RedisQueue, pubConn, subConn)
  ;(mq as unknown as { state: { on (event: 'error', listener: (error: Error) => void): void } }).state.on('error', failed)
  const persistence = persistenceRedis({ conn })
  return {
    mq,
    persistence,
    connection,
    problem: () => down === null ? null : `Redis at ${place(url)}: ${down}`,
    close: async () => {
      // It waits for Redis, which may be away.
      await Promise.race([persistence.destroy().catch(() => {}), delay(down === null ? farewell : 0, undefined, { ref: false })])
      leave()
    }
  }
}

/**
 * mqemitter-redis hands filters to Redis as globs and counts them, by that text, in a plain object: `foo*` would deafen
 * `foo/#`, `s[1]/+` would hear `s1/x`, and `constructor` be taken for known. Here a level with a character of globs is a
 * glob that escapes it, and the count has no prototype. Other brokers on the same Redis are not affected: a message
 * still goes to the channel of its topic.
 */
function safeNames (): object {
  return {
    _topics: Object.create(null),
    _containsWildcard: (topicFilter: string) => /[+#*?[\]\\]/.test(topicFilter),
    _subTopic: (topicFilter: string) => topicFilter.replace(/[*?[\]\\]/g, '\\$&').replaceAll('+', '*').replace(/\/?#/g, '*')
  }
}

/**
 * mqemitter-redis does not look at what becomes of its QUIT: left without an answer, by a Redis that ends too, it is an
 * error that nobody takes.
 */
function quitQuietly (connection: Redis): void {
  const quit = connection.quit.bind(connection)
  connection.quit = () => quit().catch((): 'OK' => 'OK')
}

/** Waits until all are ready; false when patience ends before. */
function allReady (connections: readonly Redis[]): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => { resolve(false) }, patience)
    for (const connection of connections) {
      connection.on('ready', () => {
        if (connections.some(({ status }) => status !== 'ready')) return
        clearTimeout(timer)
        resolve(true)
      })
    }
  })
}
