import type { Cluster, Redis } from 'ioredis'
import { ioredis } from '../broker/ioredis.ts'
import { NatsError } from '../errors.ts'
import { type Script, type ScriptName, scriptsFor } from './scripts.ts'

/** Where Redis is: the host's own connection, which stays open, or a URL. */
export interface RedisSource {
  readonly connection?: Redis | Cluster
  /** `redis://[user:password@]host:port[/db]` */
  readonly url?: string
}

type Argument = string | number | Buffer

// These say that Redis is not what it should be, and that it may be again; others are mistakes of ours.
const away = /Connection|MaxRetries|Stream isn't writeable|ECONN|ETIMEDOUT|EPIPE|OOM|MISCONF|READONLY|LOADING|CLUSTERDOWN|NOREPLICAS|NOAUTH|WRONGPASS|MASTERDOWN|no answer|Failed to refresh/

function reconnect (times: number): number {
  // Well within the grace that leases have after Redis was away.
  return Math.min(times * 50, 1000)
}

/**
 * Commands to Redis that end in bounded time: on connections of our own to where the host's goes, which neither keep
 * commands until Redis is back nor send any twice.
 */
export class RedisCalls {
  /** Of all keys, as the host's connection has it. */
  readonly prefix: string
  readonly database: number
  /** Whether packets are in slots other than the list's. */
  readonly spread: boolean
  private readonly commands: Redis | Cluster
  private readonly subscriber: Redis | Cluster
  private readonly patience: number
  private scripts = scriptsFor(false)
  private problem: string | null = null
  private unanswered = 0
  private closed = false
  /** Said once for each change; null when it is well again. */
  onTrouble: (problem: string | null) => void = () => {}
  /** After each time that messages of a channel may have been missed. */
  onSubscribed: () => void = () => {}

  /** @param patience how long an answer may take, in milliseconds */
  constructor ({ connection, url }: RedisSource, patience: number) {
    this.patience = patience
    this.spread = connection?.isCluster === true
    if (connection?.isCluster !== true) {
      const given = connection === undefined ? {} : { ...connection.options }
      const options = { ...given, keyPrefix: '', lazyConnect: false, maxRetriesPerRequest: 0, autoResubscribe: true, retryStrategy: reconnect, connectTimeout: 5000, enableAutoPipelining: false, connectionName: '' }
      const open = (offline: boolean): Redis => {
        const all = { ...options, enableOfflineQueue: offline, autoResendUnfulfilledCommands: false }
        const { Redis } = ioredis()
        return url === undefined ? new Redis(all) : new Redis(url, all)
      }
      this.commands = open(false)
      this.subscriber = open(true)
      this.prefix = given.keyPrefix ?? ''
      this.database = (this.commands as Redis).options.db ?? 0
    } else {
      const { options } = connection as Cluster
      const ours = { lazyConnect: false, enableAutoPipelining: false, clusterRetryStrategy: reconnect }
      this.prefix = options.keyPrefix ?? options.redisOptions?.keyPrefix ?? ''
      const redisOptions = { ...options.redisOptions, keyPrefix: '', maxRetriesPerRequest: 0 }
      this.commands = (connection as Cluster).duplicate([], { ...ours, keyPrefix: '', enableOfflineQueue: false, redisOptions })
      this.subscriber = (connection as Cluster).duplicate([], { ...ours, keyPrefix: '', redisOptions })
      this.database = 0
    }
    for (const each of [this.commands, this.subscriber]) {
      each.on('error', (error: Error) => { this.failed(error) })
      each.on('close', () => { this.failed(new Error('Connection is closed')) })
    }
    this.subscriber.on('ready', () => { this.onSubscribed() })
  }

  /** @throws {NatsError} NATS_ERR_REDIS when Redis does not answer within ten seconds */
  async open (): Promise<void> {
    const place = this.spread ? 'the cluster' : `${(this.commands as Redis).options.host}:${(this.commands as Redis).options.port}`
    try {
      await within(10_000, Promise.all([ready(this.commands), ready(this.subscriber)]))
      const info = String(await this.call('INFO', ['server']))
      this.scripts = scriptsFor(Number(/redis_version:(\d+)/.exec(info)?.[1]) >= 7)
    } catch (error) {
      const { problem } = this
      this.close()
      throw new NatsError('NATS_ERR_REDIS', place, problem ?? (error as Error).message)
    }
    this.recovered()
  }

  close (): void {
    this.closed = true
    this.commands.disconnect()
    this.subscriber.disconnect()
  }

  /** Hears a channel, also after the connection was lost. */
  async listen (channel: string, heard: (message: string) => void): Promise<void> {
    this.subscriber.on('message', (from: string, message: string) => { if (from === channel) heard(message) })
    await within(this.patience, this.subscriber.subscribe(channel))
  }

  /** Runs a script. Replies are Buffers, numbers and lists of them. */
  async run (name: ScriptName, keys: readonly string[], args: readonly Argument[] = []): Promise<unknown> {
    const script: Script = this.scripts[name]
    const rest = [keys.length, ...keys, this.prefix, this.spread ? '1' : '0', ...args]
    try {
      return await this.call('EVALSHA', [script.sha, ...rest])
    } catch (error) {
      if (!/NOSCRIPT/.test((error as Error).message)) throw error
      return await this.call('EVAL', [script.lua, ...rest])
    }
  }

  /** Runs a command. Rejects when its answer is not there in time, which does not say that it did not happen. */
  async call (command: string, args: readonly Argument[]): Promise<unknown> {
    // An unanswered command says that the rest would only pile up behind it.
    if (this.unanswered > 0 || this.commands.status !== 'ready') {
      const error = new Error(this.unanswered > 0 ? 'no answer from Redis' : 'Connection to Redis is not ready')
      this.failed(error)
      throw error
    }
    let late = false
    const answer = this.commands.callBuffer(command, args as Argument[])
    const settled = (): void => { if (late) this.unanswered-- }
    answer.then(settled, settled)
    try {
      return await within(this.patience, answer, () => {
        late = true
        this.unanswered++
      })
    } catch (error) {
      this.failed(error as Error)
      throw error
    }
  }

  /** All is well: said by whoever has just written something. */
  recovered (): void {
    if (this.problem === null || this.closed) return
    this.problem = null
    this.onTrouble(null)
  }

  private failed (error: Error): void {
    if (this.closed || this.problem !== null) return
    const text = error.message || String((error as NodeJS.ErrnoException).code)
    if (!away.test(text)) return
    this.problem = text
    this.onTrouble(text)
  }
}

function ready (connection: Redis | Cluster): Promise<void> {
  return new Promise((resolve) => {
    if (connection.status === 'ready') resolve()
    else connection.once('ready', () => { resolve() })
  })
}

/** Rejects when a promise takes longer, in milliseconds; what it comes to later is nobody's. */
export async function within<T> (time: number, promise: Promise<T>, tooLate?: () => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  try {
    return await Promise.race([promise, new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        tooLate?.()
        promise.catch(() => {})
        reject(new Error(`no answer from Redis in ${time / 1000} s`))
      }, time)
    })])
  } finally {
    clearTimeout(timer)
  }
}
