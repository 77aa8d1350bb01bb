import type { HostPersistence } from '../broker/persistence.ts'
import type { Logger } from '../options.ts'
import { SharedKeys } from './keys.ts'
import { Lease } from './lease.ts'
import { RedisCalls, type RedisSource } from './redis-connection.ts'
import { RedisGroup } from './redis-group.ts'
import { Registry } from './registry.ts'
import type { StoreEvents, StoreOptions } from './store.ts'
import { type StoreTimes, storeTimes } from './times.ts'

export interface RedisStoreSettings {
  /** Where aedes-persistence-redis keeps its keys. */
  readonly redis: RedisSource
  readonly persistence: HostPersistence
  readonly log: Logger
  readonly options: StoreOptions
  readonly times?: Partial<StoreTimes>
}

/** One node's part in the life of groups: its lease, who is present, what expires and what is taken back. */
export class RedisNode {
  readonly calls: RedisCalls
  readonly keys: SharedKeys
  readonly options: StoreOptions
  readonly log: Logger
  readonly lease: Lease
  readonly registry: Registry
  private readonly times: StoreTimes
  private readonly recover: (group: RedisGroup) => Promise<void>
  private readonly known = new Map<string, RedisGroup>()
  private readonly members = new Map<string, readonly string[]>()
  private readonly leaving = new Set<string>()
  private events: StoreEvents | null = null
  private presentAt = 0
  private lookedAt = 0
  /** Redis has forgotten this node, and maybe everything. */
  private isForgotten = false

  /** @param recover gives back what lost answers of a group may have brought */
  constructor (settings: RedisStoreSettings, recover: (group: RedisGroup) => Promise<void>) {
    const times = { ...storeTimes, ...settings.times }
    // Several times before it would expire.
    this.times = { ...times, presence: Math.min(times.presence, settings.options.expiry / 4) }
    this.options = settings.options
    this.log = settings.log
    this.recover = recover
    this.calls = new RedisCalls(settings.redis, this.times.patience)
    this.keys = new SharedKeys(this.calls.prefix, this.calls.database)
    this.registry = new Registry(this.calls, settings.persistence, this.keys, this.options, this.times)
    this.lease = new Lease(this.calls, this.keys, this.times, {
      lost: (before) => this.lost(before),
      died: (node) => this.bury(node),
      renewed: () => this.look(),
      failed: (error) => { this.log.debug({}, `durable groups: ${error.message}`) }
    })
  }

  async open (events: StoreEvents): Promise<void> {
    await this.calls.open()
    this.events = events
    this.calls.onTrouble = (problem) => { events.trouble(problem) }
    this.calls.onSubscribed = () => { for (const group of this.members.keys()) events.work(group) }
    try {
      await this.calls.listen(this.keys.work, (group) => { events.work(group) })
      await this.lease.open()
    } catch (error) {
      this.calls.close()
      throw error
    }
  }

  async close (): Promise<void> {
    const { node } = this.lease
    for (const group of this.known.values()) await this.takeBack(group, node, false).catch(() => {})
    await this.lease.close()
    this.calls.close()
  }

  group (name: string): RedisGroup {
    let group = this.known.get(name)
    if (group === undefined) {
      group = new RedisGroup(this.calls.prefix, name)
      this.known.set(name, group)
    }
    return group
  }

  present (name: string, filters: readonly string[]): void {
    if (filters.length > 0) this.members.set(name, [...filters])
    else if (this.members.delete(name)) this.leaving.add(name)
  }

  /** There may be messages in a while. */
  lookAgain (name: string, after: number): void {
    setTimeout(() => { this.events?.work(name) }, after)
  }

  /** Drops messages. @returns their number */
  async drop (group: RedisGroup, mode: 'trim' | 'purge' | 'all'): Promise<number> {
    const { keys } = group
    let number = 0
    for (;;) {
      const answer = await this.calls.run('drop', [keys.list, keys.parked, keys.topics, keys.tries, keys.holders, keys.claimed], [mode, this.options.maxDepth])
      const [count, more, due] = answer as [number, number, Buffer[]]
      number += count
      await this.countDown(due)
      if (more === 0 || count === 0) return number
    }
  }

  async trim (group: RedisGroup): Promise<void> {
    const number = await this.drop(group, 'trim')
    if (number > 0) this.events?.dropped(group.name, number)
  }

  async remove (group: RedisGroup, ifExpired: boolean): Promise<void> {
    if (!ifExpired) this.members.delete(group.name)
    await this.registry.remove(group.name, group.keys, () => this.drop(group, 'all'), ifExpired)
    if (!this.members.has(group.name)) this.known.delete(group.name)
  }

  /** Counts packets down that are in other slots than their list. One that a crash comes before stays for ever. */
  async countDown (entries: readonly Buffer[]): Promise<void> {
    if (entries.length === 0) return
    await Promise.all(entries.map(async (entry) => {
      const key = `${this.calls.prefix}${entry.toString()}`
      if (await this.calls.run('countDown', [`${key}:offlineCount`]) === 1) await this.calls.call('DEL', [key])
    }))
  }

  /** The packets of entries, which are every second of `items`. */
  async packets (items: readonly Buffer[]): Promise<(Buffer | null)[]> {
    const entries = items.filter((_item, i) => i % 2 === 0)
    return await Promise.all(entries.map(async (entry) => await this.calls.call('GET', [`${this.calls.prefix}${entry.toString()}`]) as Buffer | null))
  }

  private async takeBack ({ keys, name }: RedisGroup, node: string, delivered: boolean): Promise<void> {
    let left = 1
    while (left > 0) {
      left = await this.calls.run('takeBack', [keys.list, keys.claimed + node, keys.tries, keys.holders, keys.meta],
        [this.keys.work, name, delivered ? '1' : '0', node]) as number
    }
  }

  private async bury (node: string): Promise<void> {
    const names = new Set([...this.known.keys(), ...(await this.registry.groups()).keys()])
    for (const name of names) await this.takeBack(this.peek(name), node, true)
  }

  private async lost (before: string): Promise<void> {
    this.log.warn({}, 'this node was thought dead: what it had claimed has been taken back')
    this.isForgotten = true
    for (const group of this.known.values()) {
      // What it claimed since, before it knew.
      await this.takeBack(group, before, true)
      group.lost = []
      this.events?.lost(group.name)
    }
  }

  /** Without remembering it. */
  private peek (name: string): RedisGroup {
    return this.known.get(name) ?? new RedisGroup(this.calls.prefix, name)
  }

  /** What is due, after the lease was renewed. */
  private async look (): Promise<void> {
    const time = performance.now()
    for (const group of this.known.values()) {
      if (group.lost.length > 0 || group.answered < group.request) await this.recover(group)
    }
    if (this.isForgotten || this.leaving.size > 0 || time - this.presentAt > this.times.presence) {
      await this.sayPresent()
      this.presentAt = time
    }
    if (time - this.lookedAt < this.times.janitor) return
    this.lookedAt = time
    if (await this.calls.call('SET', [this.keys.janitor, this.lease.node, 'NX', 'PX', Math.ceil(this.times.janitor * 0.9)]) === null) return
    for (const name of await this.registry.expiredGroups()) {
      this.log.info({ group: name }, 'removing a durable group that had no member for too long')
      await this.remove(this.peek(name), true)
    }
    const leases = new Set((await this.calls.call('HKEYS', [this.keys.leases]) as Buffer[]).map(String))
    for (const name of (await this.registry.groups()).keys()) {
      const group = this.peek(name)
      await this.registry.expireFilters(name, group.keys)
      await this.trim(group)
      for (const holder of await this.calls.call('SMEMBERS', [group.keys.holders]) as Buffer[]) {
        // Claimed after it was buried.
        if (!leases.has(String(holder))) await this.takeBack(group, String(holder), true)
      }
    }
  }

  private async sayPresent (): Promise<void> {
    for (const name of this.leaving) await this.calls.run('touch', [this.keys.groups], [name])
    this.leaving.clear()
    for (const [name, filters] of this.members) {
      const { keys } = this.group(name)
      if (this.isForgotten) await this.registry.register(name, keys, filters)
      else if (!await this.registry.present(name, keys, filters)) {
        // Another node has removed it.
        this.members.delete(name)
        this.known.delete(name)
        this.events?.lost(name)
      }
    }
    this.isForgotten = false
  }
}
