import { publishedAt } from '../broker/identity.ts'
import { decodePacket } from './packet-decoder.ts'
import { entryPrefix } from './keys.ts'
import { RedisNode, type RedisStoreSettings } from './redis-node.ts'
import type { RedisGroup } from './redis-group.ts'
import { Serial } from './serial.ts'
import type { Claimed, Depth, DurableStore, GroupRecord, Parked, ParkedPage, StoreEvents } from './store.ts'

/** Most bytes of packets in the answer to one claim: enough to be fast, little enough to be kept. */
const claimRoom = 4 * 1024 * 1024

/** How many messages more than members of hungry nodes one may take; more is less even, fewer takes more claims. */
const maxAhead = 200

/** After which a node that had to leave messages to others looks whether they took them, in milliseconds. */
const turnTime = 50

/** What a claim answers then. */
const othersTurn = -2

/** Most messages in one script: others wait while it runs. */
const batch = 1000

/** Acknowledged messages to remember, for those that come twice. */
const remembered = 10_000

/** Durable groups on the keys of aedes-persistence-redis, for all nodes of a cluster at once. */
export class RedisStore implements DurableStore {
  private readonly node: RedisNode
  private readonly serial = new Serial()

  constructor (settings: RedisStoreSettings) {
    this.node = new RedisNode(settings, (group) => this.serial.run(group.name, () => this.recover(group)))
  }

  open (events: StoreEvents): Promise<void> {
    return this.node.open(events)
  }

  close (): Promise<void> {
    return this.node.close()
  }

  async register (group: string, filters: readonly string[]): Promise<void> {
    await this.node.registry.register(group, this.node.group(group).keys, filters)
  }

  present (group: string, filters: readonly string[]): void {
    this.node.present(group, filters)
  }

  async claim (name: string, count: number, members = 1): Promise<Claimed[]> {
    const group = this.node.group(name)
    return await this.serial.run(name, async () => {
      await this.node.lease.hold()
      await this.giveBackLost(group)
      return await this.take(group, count, members)
    })
  }

  async ack (name: string, ids: readonly string[]): Promise<number> {
    const { keys } = this.node.group(name)
    let number = 0
    for (const entries of batches(ids)) {
      const answer = await this.node.calls.run('ack', [this.own(name), keys.tries, keys.meta, keys.done, keys.doneBefore], [remembered, ...entries])
      const [count, due] = answer as [number, Buffer[]]
      number += count
      await this.node.countDown(due)
    }
    return number
  }

  async release (name: string, ids: readonly string[], delivered: boolean): Promise<void> {
    const { keys } = this.node.group(name)
    // The last ones first: each batch goes to the front.
    for (const entries of batches(ids).reverse()) {
      await this.node.calls.run('release', [keys.list, this.own(name), keys.tries], [this.node.keys.work, name, delivered ? '1' : '0', ...entries])
    }
  }

  async park (name: string, parked: readonly Parked[]): Promise<void> {
    const { keys } = this.node.group(name)
    for (let i = 0; i < parked.length; i += batch) {
      const args = parked.slice(i, i + batch).flatMap(({ id, topic }) => [entryPrefix + id, topic])
      await this.node.calls.run('park', [this.own(name), keys.parked, keys.topics], [this.node.keys.work, name, ...args])
    }
  }

  async parked (name: string, from: string | null, count: number): Promise<ParkedPage> {
    const { keys } = this.node.group(name)
    const answer = await this.node.calls.run('parked', [keys.parked, keys.topics], [from ?? '0', count]) as Buffer[]
    const [next = '', ...found] = answer.map(String)
    const parked: Parked[] = []
    for (let i = 0; i < found.length; i += 2) parked.push({ id: idOf(found[i] as string), topic: found[i + 1] as string })
    return { parked, next: next === '' ? null : next }
  }

  async unpark (name: string, ids: readonly string[]): Promise<Claimed[]> {
    const group = this.node.group(name)
    const { keys } = group
    return await this.serial.run(name, async () => {
      await this.node.lease.hold()
      await this.giveBackLost(group)
      const claimed: Claimed[] = []
      for (const entries of batches(ids)) {
        const { node } = this.node.lease
        // Until the answer is there, and all of it when a later one is not.
        group.lost.push(...entries)
        const answer = await this.node.calls.run('unpark', [keys.claimed + node, keys.parked, keys.topics, keys.tries, keys.holders], [node, ...entries])
        claimed.push(...await this.read(group, answer as Answer))
      }
      group.lost = []
      return claimed
    })
  }

  async depth (name: string): Promise<Depth> {
    const { keys } = this.node.group(name)
    const answer = await this.node.calls.run('depth', [keys.list, keys.parked, keys.tries, keys.holders, keys.claimed])
    const [waiting, claimed, parked, redelivered, ...oldest] = answer as [number, number, number, number, ...Buffer[]]
    const counters = oldest.map((entry) => Number(String(entry).slice(String(entry).lastIndexOf(':') + 1)))
    return { waiting, claimed, parked, redelivered, oldest: counters.length === 0 ? null : publishedAt(Math.min(...counters)) }
  }

  async groups (): Promise<GroupRecord[]> {
    const records: GroupRecord[] = []
    for (const [group, seen] of await this.node.registry.groups()) {
      records.push({ group, seen, filters: await this.node.registry.asked(this.node.group(group).keys) })
    }
    return records
  }

  async purge (name: string): Promise<number> {
    return await this.node.drop(this.node.group(name), 'purge')
  }

  async remove (name: string): Promise<void> {
    await this.node.remove(this.node.group(name), false)
  }

  private own (name: string): string {
    return this.node.group(name).keys.claimed + this.node.lease.node
  }

  private async take (group: RedisGroup, count: number, members: number): Promise<Claimed[]> {
    const { keys } = group
    for (;;) {
      const { node } = this.node.lease
      const request = ++group.request
      const args = [node, request, group.answered, Math.min(count, batch), this.node.options.maxDepth, claimRoom, Math.max(1, members), maxAhead]
      const answer = await this.node.calls.run('claim', [keys.list, keys.meta, keys.holders, keys.parked, keys.tries, keys.done, keys.doneBefore, keys.claimed], args)
      const claimed = await this.read(group, answer as Answer)
      group.answered = request
      const [tooMany, ...rest] = answer as Answer
      if (tooMany > 0) await this.node.trim(group)
      else if (tooMany === othersTurn) this.node.lookAgain(group.name, turnTime)
      // Nothing came of what was there: there may be more. The last of the answer is what was dropped.
      if (tooMany === othersTurn || claimed.length > 0 || (tooMany === 0 && rest.length === 1)) return claimed
    }
  }

  /** Gives back what answers that were lost may have brought. */
  private async recover (group: RedisGroup): Promise<void> {
    await this.giveBackLost(group)
    if (group.answered < group.request) await this.take(group, 0, 1)
  }

  private async giveBackLost (group: RedisGroup): Promise<void> {
    if (group.lost.length === 0) return
    await this.release(group.name, group.lost.map(idOf), false)
    group.lost = []
  }

  private async read (group: RedisGroup, answer: Answer): Promise<Claimed[]> {
    const { spread } = this.node.calls
    const items = answer.slice(1, -1) as Buffer[]
    await this.node.countDown(answer[answer.length - 1] as Buffer[])
    const packets = spread ? await this.node.packets(items) : []
    const claimed: Claimed[] = []
    const gone: string[] = []
    // Its packet is not there, or none.
    const step = spread ? 2 : 3
    for (let i = 0; i < items.length; i += step) {
      const id = idOf((items[i + step - 2] as Buffer).toString())
      const bytes = spread ? packets[i / 2] : items[i]
      try {
        if (bytes === undefined || bytes === null) gone.push(id)
        else claimed.push({ id, packet: decodePacket(bytes), deliveries: Number(items[i + step - 1]) })
      } catch (error) {
        this.node.log.error({ group: group.name, id }, `a stored message cannot be read, and is dropped: ${(error as Error).message}`)
        gone.push(id)
      }
    }
    if (gone.length > 0) await this.ack(group.name, gone)
    return claimed
  }
}

/** What claim and unpark return: see scripts.ts. */
type Answer = [tooMany: number, ...rest: unknown[]]

function idOf (entry: string): string {
  return entry.slice(entryPrefix.length)
}

/** Entries of the list for ids, some at a time. */
function batches (ids: readonly string[]): string[][] {
  const all: string[][] = []
  for (let i = 0; i < ids.length; i += batch) all.push(ids.slice(i, i + batch).map((id) => entryPrefix + id))
  return all
}
