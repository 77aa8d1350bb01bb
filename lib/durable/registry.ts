import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { NatsError } from '../errors.ts'
import type { HostPersistence, SessionSubscription } from '../broker/persistence.ts'
import { outermost, overlapping } from '../subject/topic-filters.ts'
import type { GroupKeys, SharedKeys } from './keys.ts'
import { type RedisCalls, within } from './redis-connection.ts'
import { Serial } from './serial.ts'
import type { StoreOptions } from './store.ts'
import type { StoreTimes } from './times.ts'

// Nobody publishes to it. It keeps a group alive in the persistence while its last filters are removed: the
// persistence would delete the list with them, and the packets in it would stay for ever.
const placeholder = '$SYS/nats/nothing'

/** How long a lock lasts whose holder is gone, in milliseconds. */
const lockTime = 15_000

function subscription (topic: string): SessionSubscription {
  return { topic, qos: 1, rh: 0, rap: true, nl: false }
}

/** Which groups there are and what is stored for them: in Aedes' persistence, and who asked for it when in Redis. */
export class Registry {
  private readonly calls: RedisCalls
  private readonly persistence: HostPersistence
  private readonly keys: SharedKeys
  private readonly options: StoreOptions
  private readonly times: StoreTimes
  private readonly serial = new Serial()

  constructor (calls: RedisCalls, persistence: HostPersistence, keys: SharedKeys, options: StoreOptions, times: StoreTimes) {
    this.calls = calls
    this.persistence = persistence
    this.keys = keys
    this.options = options
    this.times = times
  }

  register (group: string, keys: GroupKeys, filters: readonly string[]): Promise<void> {
    return this.serial.run(group, async () => {
      const entered = await this.calls.run('enter', [this.keys.groups], [group, this.options.maxDurables])
      if (entered !== 1) throw new NatsError('NATS_ERR_MAX_DURABLES', String(this.options.maxDurables))
      if (await this.calls.run('touch', [keys.filters], filters) === filters.length) return
      await this.locked(keys, async () => {
        const asked = await this.asked(keys)
        await this.change(group, keys, outermost([...asked, ...filters]))
        await this.calls.run('stamp', [keys.filters], filters)
      })
    })
  }

  /** Says that members are present. @returns false when there is no such group any more */
  async present (group: string, keys: GroupKeys, filters: readonly string[]): Promise<boolean> {
    if (await this.calls.run('touch', [this.keys.groups], [group]) !== 1) return false
    if (filters.length > 0 && await this.calls.run('touch', [keys.filters], filters) !== filters.length) await this.register(group, keys, filters)
    return true
  }

  /** All groups, with the time a member was last present, in milliseconds since 1970. */
  async groups (): Promise<Map<string, number>> {
    const fields = await this.calls.call('HGETALL', [this.keys.groups]) as Buffer[]
    const groups = new Map<string, number>()
    for (let i = 0; i < fields.length; i += 2) groups.set(String(fields[i]), Number(fields[i + 1]))
    return groups
  }

  async asked (keys: GroupKeys): Promise<string[]> {
    return (await this.calls.call('HKEYS', [keys.filters]) as Buffer[]).map(String)
  }

  /** @returns groups that no member was present in for longer than `expiry` */
  async expiredGroups (): Promise<string[]> {
    return (await this.calls.run('older', [this.keys.groups], [this.options.expiry]) as Buffer[]).map(String)
  }

  /** Removes filters that nobody asked for any more. The last ones go with their group. */
  async expireFilters (group: string, keys: GroupKeys): Promise<void> {
    const old = (await this.calls.run('older', [keys.filters], [this.options.expiry]) as Buffer[]).map(String)
    if (old.length === 0) return
    await this.serial.run(group, () => this.locked(keys, async () => {
      const asked = await this.asked(keys)
      const rest = asked.filter((filter) => !old.includes(filter))
      if (rest.length === 0) return
      // What the old ones contained is registered before they go, so that no message falls between.
      await this.change(group, keys, outermost(rest), false)
      await this.calls.run('forget', [keys.filters], [this.options.expiry, ...old])
      await this.change(group, keys, outermost(await this.asked(keys)))
    }))
  }

  /**
   * Removes a group.
   *
   * @param empty drops all messages, and says how many
   */
  async remove (group: string, keys: GroupKeys, empty: () => Promise<number>, ifExpired: boolean): Promise<void> {
    await this.serial.run(group, () => this.locked(keys, async () => {
      if (ifExpired && !(await this.expiredGroups()).includes(group)) return
      await this.calls.call('HDEL', [this.keys.groups, group])
      await this.calls.call('DEL', [keys.filters])
      const registered = await this.registered(group)
      if (registered.length > 0) {
        await this.ask(this.persistence.addSubscriptions({ id: group }, [subscription(placeholder)]))
        const filters = registered.filter((filter) => filter !== placeholder)
        if (filters.length > 0) await this.ask(this.persistence.removeSubscriptions({ id: group }, filters))
      }
      // Brokers that were storing a message when they heard of it are done soon.
      do await empty()
      while (await delay(50).then(empty) > 0)
      if (registered.length > 0) await this.ask(this.persistence.removeSubscriptions({ id: group }, [placeholder]))
      await this.calls.call('DEL', [keys.meta, keys.holders, keys.parked, keys.topics, keys.tries, keys.done, keys.doneBefore])
    }))
  }

  private async registered (group: string): Promise<string[]> {
    return ((await this.ask(this.persistence.subscriptionsByClient({ id: group }))) ?? []).map(({ topic }) => topic)
  }

  /** Registers first and removes then. At least one filter must be wanted. */
  private async change (group: string, keys: GroupKeys, wanted: string[], removing = true): Promise<void> {
    const has = await this.registered(group)
    const added = wanted.filter((filter) => !has.includes(filter))
    const removed = removing ? has.filter((filter) => !wanted.includes(filter)) : []
    if (overlapping([...has, ...added])) await this.calls.call('HSET', [keys.meta, 'overlapping', '1'])
    if (added.length > 0) await this.ask(this.persistence.addSubscriptions({ id: group }, added.map(subscription)))
    if (removed.length > 0) await this.ask(this.persistence.removeSubscriptions({ id: group }, removed))
  }

  /** The host's own connection may wait for Redis without an end. */
  private ask<T> (answer: Promise<T>): Promise<T> {
    return within(this.times.patience, answer)
  }

  private async locked (keys: GroupKeys, task: () => Promise<void>): Promise<void> {
    const token = randomBytes(9).toString('base64url')
    const until = performance.now() + lockTime + this.times.patience
    while (await this.calls.call('SET', [keys.lock, token, 'NX', 'PX', lockTime]) === null) {
      if (performance.now() > until) throw new Error('the subscriptions of the group are locked')
      await delay(20)
    }
    try {
      await task()
    } finally {
      await this.calls.run('unlock', [keys.lock], [token]).catch(() => {})
    }
  }
}
