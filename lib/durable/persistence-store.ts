import { setImmediate as nextTurn } from 'node:timers/promises'
import { NatsError } from '../errors.ts'
import { publishedAt } from '../broker/identity.ts'
import type { HostPersistence, SessionSubscription } from '../broker/persistence.ts'
import type { Logger } from '../options.ts'
import { outermost } from '../subject/topic-filters.ts'
import { PersistenceGroup } from './persistence-group.ts'
import { Serial } from './serial.ts'
import type { Claimed, Depth, DurableStore, GroupRecord, Parked, ParkedPage, StoreEvents, StoreOptions } from './store.ts'
import { type StoreTimes, storeTimes } from './times.ts'

export interface PersistenceStoreSettings {
  readonly persistence: HostPersistence
  readonly log: Logger
  readonly options: StoreOptions
  readonly times?: Partial<StoreTimes>
}

/**
 * Durable groups on any persistence of Aedes, by its public methods alone, for one process: nobody else may claim.
 *
 * What is claimed, parked and counted is in memory: after a restart everything that was not acknowledged waits again,
 * as not delivered before, and groups are known (and expire) from when they are registered again. A persistence that
 * shows only the first so many messages of a client shows no others while as many are claimed or parked.
 */
export class PersistenceStore implements DurableStore {
  private readonly persistence: HostPersistence
  private readonly log: Logger
  private readonly options: StoreOptions
  private readonly times: StoreTimes
  private readonly known = new Map<string, PersistenceGroup>()
  private readonly members = new Map<string, readonly string[]>()
  private readonly serial = new Serial()
  private readonly counted = new Map<string, number>()
  private events: StoreEvents | null = null
  private timer: NodeJS.Timeout | undefined
  private looking: Promise<void> | null = null

  constructor ({ persistence, log, options, times }: PersistenceStoreSettings) {
    this.persistence = persistence
    this.log = log
    this.options = options
    this.times = { ...storeTimes, ...times }
  }

  async open (events: StoreEvents): Promise<void> {
    this.events = events
    this.timer = setInterval(() => {
      this.looking ??= this.look()
        .catch((error: Error) => { this.log.error({}, `durable groups: ${error.message}`) })
        .finally(() => { this.looking = null })
    }, this.times.janitor)
  }

  async close (): Promise<void> {
    clearInterval(this.timer)
    await this.looking
    for (const group of this.known.values()) group.releaseAll()
  }

  register (name: string, filters: readonly string[]): Promise<void> {
    return this.serial.run(name, async () => {
      const group = this.known.get(name) ?? new PersistenceGroup(this.persistence, name)
      if (!this.known.has(name)) {
        if (this.known.size >= this.options.maxDurables) throw new NatsError('NATS_ERR_MAX_DURABLES', String(this.options.maxDurables))
        this.known.set(name, group)
        // From an earlier life.
        for (const filter of await this.registered(name)) group.filters.set(filter, Date.now())
      }
      const asked = [...group.filters.keys(), ...filters]
      if (filters.some((filter) => !group.filters.has(filter))) await this.change(name, outermost(asked))
      for (const filter of filters) group.filters.set(filter, Date.now())
      group.seen = Date.now()
    })
  }

  present (name: string, filters: readonly string[]): void {
    this.touch(name, [...this.members.get(name) ?? [], ...filters])
    if (filters.length > 0) this.members.set(name, [...filters])
    else this.members.delete(name)
  }

  async claim (name: string, count: number): Promise<Claimed[]> {
    const group = this.known.get(name)
    if (group === undefined || count === 0) return []
    // Counting takes as long as the queue is deep.
    if (performance.now() - (this.counted.get(name) ?? -Infinity) > this.times.janitor) await this.trim(group)
    return await group.claim(count)
  }

  async ack (name: string, ids: readonly string[]): Promise<number> {
    return await this.known.get(name)?.ack(ids) ?? 0
  }

  async release (name: string, ids: readonly string[], delivered: boolean): Promise<void> {
    if ((this.known.get(name)?.release(ids, delivered) ?? 0) > 0) this.tell(name)
  }

  async park (name: string, parked: readonly Parked[]): Promise<void> {
    if ((this.known.get(name)?.park(parked) ?? 0) > 0) this.tell(name)
  }

  async parked (name: string, from: string | null, count: number): Promise<ParkedPage> {
    return this.known.get(name)?.parked(from, count) ?? { parked: [], next: null }
  }

  async unpark (name: string, ids: readonly string[]): Promise<Claimed[]> {
    return this.known.get(name)?.unpark(ids) ?? []
  }

  async depth (name: string): Promise<Depth> {
    const group = this.known.get(name) ?? new PersistenceGroup(this.persistence, name)
    const { first, ...depth } = await group.depth()
    return { ...depth, oldest: publishedAt(first?.brokerCounter ?? 0) }
  }

  async groups (): Promise<GroupRecord[]> {
    return Array.from(this.known.values(), ({ name, filters, seen }) => ({ group: name, filters: [...filters.keys()], seen }))
  }

  async purge (name: string): Promise<number> {
    return await (this.known.get(name) ?? new PersistenceGroup(this.persistence, name)).purge()
  }

  remove (name: string): Promise<void> {
    return this.serial.run(name, async () => {
      this.members.delete(name)
      const group = this.known.get(name) ?? new PersistenceGroup(this.persistence, name)
      // Persistences lose the way to what a client without subscriptions still has.
      await group.clear()
      const filters = await this.registered(name)
      if (filters.length > 0) await this.persistence.removeSubscriptions({ id: name }, filters)
      await nextTurn()
      await group.clear()
      this.known.delete(name)
      this.counted.delete(name)
    })
  }

  private tell (name: string): void {
    // Not within the call that it comes from.
    setImmediate(() => { this.events?.work(name) })
  }

  private async registered (name: string): Promise<string[]> {
    return (await this.persistence.subscriptionsByClient({ id: name }) ?? []).map(({ topic }) => topic)
  }

  /** Registers first and removes then. */
  private async change (name: string, wanted: readonly string[]): Promise<void> {
    const has = await this.registered(name)
    const added = wanted.filter((filter) => !has.includes(filter))
    const removed = has.filter((filter) => !wanted.includes(filter))
    if (added.length > 0) {
      const subscriptions: SessionSubscription[] = added.map((topic) => ({ topic, qos: 1, rh: 0, rap: true, nl: false }))
      await this.persistence.addSubscriptions({ id: name }, subscriptions)
    }
    if (removed.length > 0) await this.persistence.removeSubscriptions({ id: name }, removed)
  }

  private touch (name: string, filters: readonly string[]): void {
    const group = this.known.get(name)
    if (group === undefined) return
    group.seen = Date.now()
    for (const filter of filters) if (group.filters.has(filter)) group.filters.set(filter, group.seen)
  }

  private async trim (group: PersistenceGroup): Promise<void> {
    this.counted.set(group.name, performance.now())
    const { waiting, claimed, parked } = await group.depth()
    const excess = Math.min(waiting + claimed + parked - this.options.maxDepth, waiting)
    if (excess <= 0) return
    const number = await group.drop(excess)
    if (number > 0) this.events?.dropped(group.name, number)
  }

  private async look (): Promise<void> {
    for (const [name, filters] of this.members) this.touch(name, filters)
    const before = Date.now() - this.options.expiry
    for (const group of [...this.known.values()]) {
      if (group.seen < before) {
        this.log.info({ group: group.name }, 'removing a durable group that had no member for too long')
        await this.remove(group.name)
        continue
      }
      await this.expireFilters(group, before)
      await this.trim(group)
    }
  }

  private async expireFilters (group: PersistenceGroup, before: number): Promise<void> {
    await this.serial.run(group.name, async () => {
      const old = [...group.filters].filter(([, asked]) => asked < before).map(([filter]) => filter)
      if (old.length === 0 || old.length === group.filters.size) return
      for (const filter of old) group.filters.delete(filter)
      await this.change(group.name, outermost(group.filters.keys()))
    })
  }
}
