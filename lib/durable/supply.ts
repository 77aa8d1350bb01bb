import type { Bridge } from '../broker/bridge.ts'
import type { PublishPacket } from '../broker/host.ts'
import type { Message } from '../wire/message.ts'
import { Asked } from './asked.ts'
import type { Held } from './held.ts'
import type { Claimed, DurableStore } from './store.ts'

// One claim takes so many messages at most, and about so many bytes.
const maxClaim = 1000
const maxClaimBytes = 8 * 1024 * 1024
// What a message is taken to have before the first is seen: one claim of large ones must not fill the memory.
const firstSize = 64 * 1024
// Before a failed call is tried again, and between looks without a reason, in milliseconds.
const retryAfter = 250
const pollInterval = 2000
// Acknowledgements between two looks at what was set aside.
const reliefsPerScan = 50
// Topics and subjects of them kept.
const maxSubjects = 10_000

/** A group, as its supply sees it. */
export interface Demand {
  readonly memberCount: number
  /** How many more messages the members could take; below 1 when none. */
  readonly room: number
  /** Tells of one message after the other whether a member here wants it, and could take it besides those before. */
  plan (): (subject: string) => 'now' | 'later' | 'never'
  /** A message has come from the store; in the order in which members are to have them. */
  take (id: string, message: Message, packet: PublishPacket, deliveries: number): void
  /** Takes out what waits for a delivery. */
  takeWaiting (): Held[]
  /** Takes one back in. */
  keep (held: Held): void
  discard (held: Held): void
  forget (held: Held): void
  schedule (): void
  pump (): void
}

/**
 * Brings the messages of a group from the store to this node, and back. One call to the store is under way at a time,
 * so that they come in order; a failed one is tried again.
 */
export class Supply {
  private readonly group: string
  private readonly store: DurableStore
  private readonly bridge: Bridge
  private readonly demand: Demand
  /** Messages that no member here asks for. */
  private strays: Held[] = []
  /** Messages that only members ask for who take none at the moment. */
  private stuck: Held[] = []
  private isWoken = false
  private mayHaveParked = false
  private hasStuckParked = false
  private reliefs = 0
  private nextScan = 0
  private nextPoll = 0
  private averageSize = firstSize
  private readonly subjects = new Map<string, string>()
  private running: Promise<void> | null = null
  private retry: NodeJS.Timeout | null = null
  private isStopped = false

  constructor (group: string, store: DurableStore, bridge: Bridge, demand: Demand) {
    this.group = group
    this.store = store
    this.bridge = bridge
    this.demand = demand
  }

  // hot: once per live message
  /** A message was stored. */
  wake (): void {
    if (this.isWoken) return
    this.isWoken = true
    this.demand.schedule()
  }

  /** There may be anything in the store. */
  look (): void {
    this.isWoken = true
    this.mayHaveParked = true
  }

  /** Looks without a reason: a wake-up may be lost on its way. */
  poll (now: number): void {
    if (now < this.nextPoll) return
    this.nextPoll = now + pollInterval
    this.isWoken = true
    this.refill()
  }

  /** A member has acknowledged: what was set aside for it may come back, many at a time. */
  relieved (pending: number): void {
    if (this.hasStuckParked && (pending === 0 || ++this.reliefs % reliefsPerScan === 0)) this.mayHaveParked = true
  }

  stray (held: Held): void {
    this.strays.push(held)
  }

  setAside (stuck: readonly Held[]): void {
    this.stuck.push(...stuck)
  }

  /** Does whatever there is to do. */
  refill (): void {
    if (this.running !== null || this.retry !== null || !this.hasWork) return
    this.running = this.run()
  }

  /** Finishes what is under way, and begins nothing more. */
  async halt (): Promise<void> {
    this.isStopped = true
    if (this.retry !== null) clearTimeout(this.retry)
    await this.running
  }

  private get hasWork (): boolean {
    if (this.isStopped) return false
    if (this.strays.length > 0 || this.stuck.length > 0) return true
    const { memberCount, room } = this.demand
    if (memberCount === 0) return this.demand.room < 0
    return room > 0 && (this.isWoken || this.isScanDue)
  }

  private get isScanDue (): boolean {
    return this.mayHaveParked && Date.now() >= this.nextScan
  }

  private async run (): Promise<void> {
    try {
      while (this.hasWork) await this.step()
      this.running = null
    } catch {
      // The store has said that it is away.
      this.running = null
      if (this.isStopped) return
      this.retry = setTimeout(() => {
        this.retry = null
        this.isWoken = true
        this.demand.schedule()
      }, retryAfter)
      return
    }
    // Something may have come up after the last look.
    this.refill()
  }

  private async step (): Promise<void> {
    if (this.strays.length > 0) await this.sortOut()
    else if (this.stuck.length > 0) await this.parkStuck()
    else if (this.demand.memberCount === 0) await this.giveBack()
    else if (this.isScanDue) await this.unpark()
    else await this.claim()
  }

  /** How many messages are not too many bytes at once, as far as known. */
  private get claimSize (): number {
    return Math.max(1, Math.min(maxClaim, Math.floor(maxClaimBytes / this.averageSize)))
  }

  private async claim (): Promise<void> {
    const count = Math.max(1, Math.min(this.demand.room, this.claimSize))
    this.isWoken = false
    try {
      const claimed = await this.store.claim(this.group, count, this.demand.memberCount)
      // Large ones come in several claims.
      if (claimed.length > 0) this.isWoken = true
      this.receive(claimed)
    } catch (error) {
      this.isWoken = true
      throw error
    }
  }

  private receive (claimed: readonly Claimed[]): void {
    if (claimed.length === 0) return
    let size = 0
    for (const { id, packet, deliveries } of claimed) {
      const subject = this.subjectOf(packet.topic)
      const message = this.bridge.messageOf(packet, subject)
      size += message.size
      this.demand.take(id, message, packet, deliveries)
    }
    this.averageSize = Math.max(1, (this.averageSize + size / claimed.length) / 2)
    this.demand.pump()
  }

  /** Empty for a topic that has no subject: no filter matches it. */
  private subjectOf (topic: string): string {
    const known = this.subjects.get(topic)
    if (known !== undefined) return known
    const subject = this.bridge.names.subjectOf(topic) ?? ''
    if (this.subjects.size >= maxSubjects) this.subjects.clear()
    this.subjects.set(topic, subject)
    return subject
  }

  /** Parks what a member elsewhere, or to come, asks for; the rest is nobody's. */
  private async sortOut (): Promise<void> {
    const { strays } = this
    this.strays = []
    try {
      const record = (await this.store.groups()).find(({ group }) => group === this.group)
      const asked = new Asked(this.bridge.names, record?.filters ?? [])
      const wanted = strays.filter(({ topic }) => asked.includes(topic))
      await this.park(wanted)
      const parked = new Set(wanted)
      for (const held of strays) {
        if (!parked.has(held)) this.demand.discard(held)
      }
    } catch (error) {
      this.strays = strays.concat(this.strays)
      throw error
    }
  }

  private async parkStuck (): Promise<void> {
    const { stuck } = this
    this.stuck = []
    try {
      await this.park(stuck)
      this.hasStuckParked = true
    } catch (error) {
      this.stuck = stuck.concat(this.stuck)
      throw error
    }
  }

  private async park (messages: readonly Held[]): Promise<void> {
    const parked = messages.filter((held) => !held.isDone)
    if (parked.length === 0) return
    await this.store.park(this.group, parked.map(({ id, topic }) => ({ id, topic })))
    for (const held of parked) this.demand.forget(held)
  }

  /** Brings back what was set aside and is wanted here. */
  private async unpark (): Promise<void> {
    this.mayHaveParked = false
    this.hasStuckParked = false
    let from: string | null = null
    let pages = 0
    let found = 0
    const plan = this.demand.plan()
    try {
      do {
        const page = await this.store.parked(this.group, from, maxClaim)
        from = page.next
        pages++
        const ids: string[] = []
        for (const { id, topic } of page.parked) {
          const when = plan(this.subjectOf(topic))
          if (when === 'now') ids.push(id)
          else if (when === 'later') this.hasStuckParked = true
        }
        found += ids.length
        while (ids.length > 0) this.receive(await this.store.unpark(this.group, ids.splice(0, this.claimSize)))
      } while (from !== null && this.demand.room > 0 && !this.isStopped)
    } catch (error) {
      this.mayHaveParked = true
      throw error
    }
    if (from !== null) this.hasStuckParked = true
    // A long list that is for others is not read again at every event.
    if (pages > 2 && found === 0) this.nextScan = Date.now() + pollInterval
  }

  /** Without members here, what waits is for other nodes. Delivered ones go to the very front. */
  private async giveBack (): Promise<void> {
    const waiting = this.demand.takeWaiting()
    await this.release(waiting).catch((error: Error) => {
      for (const held of waiting) this.demand.keep(held)
      throw error
    })
    for (const held of waiting) this.demand.forget(held)
  }

  /** Gives messages back to the store. Those delivered before end up in front. */
  async release (messages: readonly Held[]): Promise<void> {
    const ordered = [...messages].sort((a, b) => a.order - b.order)
    for (const delivered of [false, true]) {
      const ids = ordered.filter(({ deliveries }) => (deliveries > 0) === delivered).map(({ id }) => id)
      if (ids.length > 0) await this.store.release(this.group, ids, delivered)
    }
  }
}
