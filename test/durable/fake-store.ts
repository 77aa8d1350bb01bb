import type { PublishPacket } from '../../lib/broker/host.ts'
import type { Claimed, Depth, DurableStore, GroupRecord, Parked, ParkedPage, StoreEvents } from '../../lib/durable/store.ts'

interface Stored { readonly id: string, readonly packet: PublishPacket, deliveries: number }
interface Kept { readonly filters: Set<string>, waiting: Stored[], readonly claimed: Map<string, Stored>, readonly parked: Map<string, Stored> }

/** A store that fails on command, which a real one does not. Every call is recorded. */
export class FakeStore implements DurableStore {
  readonly calls: string[] = []
  readonly kept = new Map<string, Kept>()
  /** What the next calls of a method end in; each is used once. */
  readonly failures: Record<string, Error[]> = {}
  events: StoreEvents | null = null
  private counter = 0

  private groupOf (group: string): Kept {
    let kept = this.kept.get(group)
    if (kept === undefined) this.kept.set(group, kept = { filters: new Set(), waiting: [], claimed: new Map(), parked: new Map() })
    return kept
  }

  private async call (name: string, group: string, ...details: unknown[]): Promise<Kept> {
    this.calls.push([name, ...details].join(' '))
    await Promise.resolve()
    const failure = this.failures[name]?.shift()
    if (failure !== undefined) throw failure
    return this.groupOf(group)
  }

  /** Stores a message for a group, as a broker does. @returns its id */
  publish (group: string, topic: string, payload: string, properties?: object): string {
    const id = `b:${++this.counter}`
    const packet = { cmd: 'publish', topic, payload: Buffer.from(payload), qos: 1, retain: false, dup: false, ...properties === undefined ? {} : { properties } } as PublishPacket
    this.groupOf(group).waiting.push({ id, packet, deliveries: 0 })
    return id
  }

  async open (events: StoreEvents): Promise<void> { this.events = events }
  async close (): Promise<void> { this.calls.push('close') }
  async register (group: string, filters: readonly string[]): Promise<void> {
    const kept = await this.call('register', group, ...filters)
    for (const filter of filters) kept.filters.add(filter)
  }

  present (_group: string, filters: readonly string[]): void { this.calls.push(['present', ...filters].join(' ')) }

  async claim (group: string, count: number): Promise<Claimed[]> {
    const kept = await this.call('claim', group)
    const claimed = kept.waiting.splice(0, count)
    for (const stored of claimed) kept.claimed.set(stored.id, stored)
    return claimed.map((stored) => ({ ...stored }))
  }

  async ack (group: string, ids: readonly string[]): Promise<number> {
    const kept = await this.call('ack', group, ...ids)
    return ids.filter((id) => kept.claimed.delete(id)).length
  }

  async release (group: string, ids: readonly string[], delivered: boolean): Promise<void> {
    const kept = await this.call('release', group, ...ids, delivered)
    const back = ids.flatMap((id) => kept.claimed.get(id) ?? [])
    for (const stored of back) {
      kept.claimed.delete(stored.id)
      if (delivered) stored.deliveries++
    }
    kept.waiting.unshift(...back)
  }

  async park (group: string, parked: readonly Parked[]): Promise<void> {
    const kept = await this.call('park', group, ...parked.map(({ id }) => id))
    for (const { id } of parked) {
      const stored = kept.claimed.get(id)
      if (stored === undefined) continue
      kept.claimed.delete(id)
      kept.parked.set(id, stored)
    }
  }

  async parked (group: string, from: string | null, count: number): Promise<ParkedPage> {
    const kept = await this.call('parked', group)
    const start = Number(from ?? 0)
    const all = [...kept.parked.values()]
    return {
      parked: all.slice(start, start + count).map(({ id, packet: { topic } }) => ({ id, topic })),
      next: start + count < all.length ? String(start + count) : null
    }
  }

  async unpark (group: string, ids: readonly string[]): Promise<Claimed[]> {
    const kept = await this.call('unpark', group, ...ids)
    return ids.flatMap((id) => {
      const stored = kept.parked.get(id)
      if (stored === undefined) return []
      kept.parked.delete(id)
      kept.claimed.set(id, stored)
      return { ...stored }
    })
  }

  async depth (group: string): Promise<Depth> {
    const { waiting, claimed, parked } = await this.call('depth', group)
    return { waiting: waiting.length, claimed: claimed.size, parked: parked.size, redelivered: 0, oldest: null }
  }

  async groups (): Promise<GroupRecord[]> {
    await this.call('groups', '')
    return [...this.kept].map(([group, { filters }]) => ({ group, filters: [...filters], seen: 0 }))
  }

  async purge (group: string): Promise<number> {
    const kept = await this.call('purge', group)
    return kept.waiting.splice(0).length
  }

  async remove (group: string): Promise<void> {
    await this.call('remove', group)
    this.kept.delete(group)
  }
}
