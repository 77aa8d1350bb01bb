import type { PublishPacket, StoredSubscription } from './host.ts'
import { encodePacket } from './packet-encoder.ts'
import type { EnqueueStore } from './publish-order.ts'

type Argument = string | Buffer | number

/** As much of a connection of ioredis (Redis or Cluster) as is needed. */
export interface RedisCommands {
  readonly isCluster?: boolean
  eval (script: string, keys: number, ...args: Argument[]): Promise<unknown>
  set (key: string, value: Argument): Promise<unknown>
  rpush (key: string, ...args: string[]): Promise<unknown>
  expire (key: string, seconds: number): Promise<unknown>
}

/** The Redis that aedes-persistence-redis of the host stores in. */
export interface StoreRedis {
  readonly connection: RedisCommands
  /** How long a stored packet lives, in seconds, as the persistence was told; 0 is for ever. */
  readonly packetTTL?: ((packet: PublishPacket) => number) | undefined
}

/*
 * Stores a batch, once: ioredis sends again what Redis has not answered when a connection breaks, and entries that a list
 * holds twice would count down twice. KEYS n packets and counts, then lists. ARGV n, their values; for each list how many
 * entries, and these; then index of a key and seconds that it lives, for each that does not live for ever.
 */
const storeBatch = `
local n = tonumber(ARGV[1])
local values = {}
for i = 1, n do
  values[2 * i - 1] = KEYS[i]
  values[2 * i] = ARGV[i + 1]
end
if redis.call('MSETNX', unpack(values)) == 0 then
  for i = 1, n, 2 do
    if redis.call('GET', KEYS[i]) == ARGV[i + 1] then return 0 end
  end
  redis.call('MSET', unpack(values))
end
local at = n + 2
for i = n + 1, #KEYS do
  local count = tonumber(ARGV[at])
  redis.call('RPUSH', KEYS[i], unpack(ARGV, at + 1, at + count))
  at = at + count + 1
end
while at < #ARGV do
  redis.call('EXPIRE', KEYS[tonumber(ARGV[at])], ARGV[at + 1])
  at = at + 2
end
return 1`

// Most packets of a batch, and bytes of them: ioredis takes a batch apart in one go.
const maxBatch = 1024
const maxBatchBytes = 4 * 1024 * 1024
// Two, so that one is made while Redis works on the other.
const maxInFlight = 2
const maxKnownLists = 10_000

/** The packets that go to Redis together. */
class Batch {
  readonly values: Argument[] = []
  /** Packet keys by the list that they are appended to. */
  readonly lists = new Map<string, string[]>()
  /** Seconds by key. */
  readonly lifetimes: [key: string, seconds: number][] = []
  count = 0
  bytes = 0
  resolve: () => void = nothing
  reject: (error: Error) => void = nothing
  /** Shared by all packets of the batch. */
  readonly stored = new Promise<void>((resolve, reject) => {
    this.resolve = resolve
    this.reject = reject
  })

  constructor () {
    // Each publish hears of it, but there may be none any more.
    this.stored.catch(nothing)
  }

  append (list: string, key: string): void {
    const known = this.lists.get(list)
    if (known === undefined) this.lists.set(list, [key])
    else known.push(key)
  }
}

/**
 * Stores packets under the keys of aedes-persistence-redis (asyncPersistence.js, outgoingEnqueueCombi), those of a turn
 * of the event loop together: one write instead of three or more for each, and each list in the order of the calls.
 */
export class BatchStore implements EnqueueStore {
  readonly answers = true
  private readonly connection: RedisCommands
  private readonly packetTTL: ((packet: PublishPacket) => number) | null
  private readonly maxInFlight: number
  private readonly listKeys = new Map<string, string>()
  /** Complete batches that wait, then the one that still grows. */
  private batches: Batch[] = []
  private scheduled = false
  private inFlight = 0
  private idle: (() => void)[] = []
  private readonly flush = (): void => {
    this.scheduled = false
    this.send()
  }

  private readonly sent = (): void => {
    this.inFlight--
    this.send()
    if (this.inFlight > 0) return
    const { idle } = this
    this.idle = []
    for (const resolve of idle) resolve()
  }

  constructor ({ connection, packetTTL }: StoreRedis) {
    this.connection = connection
    this.packetTTL = packetTTL ?? null
    // On a cluster one batch is several steps, which must not mix.
    this.maxInFlight = connection.isCluster === true ? 1 : maxInFlight
  }

  // hot: once per stored message
  enqueue (subscriptions: readonly StoredSubscription[], packet: PublishPacket): Promise<void> {
    try {
      return this.add(subscriptions, packet)
    } catch (error) {
      // Of the host's packetTTL, or of a client id that has no key.
      return Promise.reject(error)
    }
  }

  private add (subscriptions: readonly StoredSubscription[], packet: PublishPacket): Promise<void> {
    const key = `packet:${packet.brokerId}:${packet.brokerCounter}`
    const countKey = `${key}:offlineCount`
    const encoded = encodePacket(packet)
    const seconds = this.packetTTL === null ? 0 : this.packetTTL(packet)
    const lists: string[] = []
    for (let i = 0; i < subscriptions.length; i++) lists.push(this.listKey((subscriptions[i] as StoredSubscription).clientId))
    const batch = this.growing()
    batch.values.push(key, encoded, countKey, lists.length)
    for (let i = 0; i < lists.length; i++) batch.append(lists[i] as string, key)
    if (seconds > 0) batch.lifetimes.push([key, seconds], [countKey, seconds])
    batch.count++
    batch.bytes += encoded.length
    if (!this.scheduled) {
      this.scheduled = true
      setImmediate(this.flush)
    }
    return batch.stored
  }

  private growing (): Batch {
    const last = this.batches.at(-1)
    if (last !== undefined && last.count < maxBatch && last.bytes < maxBatchBytes) return last
    const batch = new Batch()
    this.batches.push(batch)
    return batch
  }

  private listKey (clientId: string): string {
    let key = this.listKeys.get(clientId)
    if (key === undefined) {
      key = `outgoing:${encodeURIComponent(clientId)}`
      if (this.listKeys.size >= maxKnownLists) this.listKeys.clear()
      this.listKeys.set(clientId, key)
    }
    return key
  }

  private send (): void {
    while (this.inFlight < this.maxInFlight) {
      const batch = this.batches.shift()
      if (batch === undefined) return
      this.inFlight++
      const written = this.connection.isCluster === true ? this.writeSeparately(batch) : this.writeTogether(batch)
      written.then(batch.resolve, batch.reject).finally(this.sent)
    }
  }

  private async writeTogether (batch: Batch): Promise<void> {
    const { values, lists, lifetimes } = batch
    const keys: Argument[] = []
    const args: Argument[] = [values.length / 2]
    const places = new Map<Argument, number>()
    for (let i = 0; i < values.length; i += 2) {
      keys.push(values[i] as string)
      args.push(values[i + 1] as Argument)
      if (lifetimes.length > 0) places.set(values[i] as string, keys.length)
    }
    for (const [list, entries] of lists) {
      keys.push(list)
      args.push(entries.length)
      for (const entry of entries) args.push(entry)
    }
    for (const [key, seconds] of lifetimes) args.push(places.get(key) as number, seconds)
    await this.connection.eval(storeBatch, keys.length, ...keys, ...args)
  }

  /** No key is in a list before the packet is there: who finds none takes it for expired. */
  private async writeSeparately ({ values, lifetimes, lists }: Batch): Promise<void> {
    const { connection } = this
    const sets: Promise<unknown>[] = []
    for (let i = 0; i < values.length; i += 2) sets.push(connection.set(values[i] as string, values[i + 1] as Argument))
    for (const [key, seconds] of lifetimes) sets.push(connection.expire(key, seconds))
    await Promise.all(sets)
    const pushes: Promise<unknown>[] = []
    for (const [list, keys] of lists) pushes.push(connection.rpush(list, ...keys))
    await Promise.all(pushes)
  }

  /** Resolves when nothing is under way any more. */
  settled (): Promise<void> {
    this.send()
    if (this.inFlight === 0) return Promise.resolve()
    return new Promise((resolve) => { this.idle.push(resolve) })
  }
}

function nothing (): void {}
