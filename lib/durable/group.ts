import type { PublishPacket } from '../broker/host.ts'
import type { AckKind } from '../options.ts'
import type { Space } from '../routing/spaces.ts'
import type { Message } from '../wire/message.ts'
import { Dealer } from './dealer.ts'
import { consumerToken, Delivery } from './delivery.ts'
import { Held, Waiting } from './held.ts'
import type { Member, Recipient } from './member.ts'
import { Roster } from './roster.ts'
import type { GroupServices } from './services.ts'
import { Settlement } from './settlement.ts'
import { Supply } from './supply.ts'
import type { Verdict } from './verdict.ts'

/** The members of a durable group on this node, and the messages that they have in hand. */
export class Group {
  /** Its id in Aedes' persistence. */
  readonly id: string
  /** The queue group as clients name it. */
  readonly name: string
  /** Whose messages it has. */
  readonly space: Space
  /** Messages that were delivered `maxDeliver` times in vain. */
  buried = 0
  private readonly services: GroupServices
  private readonly dealer: Dealer
  private readonly settlement: Settlement
  private readonly supply: Supply
  private readonly roster: Roster
  /** All messages that this node has claimed, by id. */
  private readonly hand = new Map<string, Held>()
  private readonly again = new Waiting()
  private readonly fresh = new Waiting()
  private lastOrder = 0
  private isOpen = false
  private isScheduled = false
  private isStopped = false
  private readonly ticker: NodeJS.Timeout
  private readonly run = (): void => {
    this.isScheduled = false
    this.pump()
  }

  private readonly read = (held: Held): void => { this.discard(held) }

  constructor (id: string, name: string, space: Space, kind: AckKind, services: GroupServices) {
    this.id = id
    this.name = name
    this.space = space
    this.roster = new Roster(space.names)
    this.services = services
    const delivery = new Delivery(kind, services.stream, consumerToken(name))
    this.dealer = new Dealer(this.roster, delivery, services.limits, (reply, held) => { this.answerBy(reply, held) }, () => { this.schedule() })
    this.settlement = new Settlement(services.store, id)
    this.supply = new Supply(id, services.store, space.bridge, this)
    this.ticker = setInterval(() => { this.tick() }, Math.max(10, Math.min(1000, services.limits.ackWait / 4)))
  }

  /** The filters that members on this node ask for. */
  get topicFilters (): string[] {
    return this.roster.topicFilters
  }

  /** Present members on this node. */
  get memberCount (): number {
    return this.roster.present.length
  }

  /** Messages with members of this node that have not acknowledged them. */
  get pending (): number {
    return this.roster.pending
  }

  /** Nothing of it is left on this node. */
  get isIdle (): boolean {
    return this.memberCount === 0 && this.hand.size === 0 && this.settlement.length === 0
  }

  join (recipient: Recipient): Member {
    const member = this.roster.join(recipient)
    this.tellPresence()
    this.work()
    return member
  }

  /** A subscription has ended. Its connection may still acknowledge what it has. */
  leave (member: Member): void {
    if (member.isLeaving) return
    this.roster.leave(member)
    this.tellPresence()
    this.schedule()
  }

  /** The connection of a member is gone: others get what it had. */
  disconnected (member: Member): void {
    this.leave(member)
    for (const held of member.pending) this.retake(held, member)
  }

  /** Tells the store which filters are asked for here. */
  tellPresence (): void {
    this.services.store.present(this.id, this.roster.topicFilters)
  }

  /** A message was stored for it. */
  wake (): void {
    this.supply.wake()
  }

  /** There may be anything in the store: other nodes have given messages back, or set some aside. */
  work (): void {
    this.supply.look()
    this.schedule()
  }

  take (id: string, message: Message, packet: PublishPacket, deliveries: number): void {
    const held = new Held(id, message, packet, ++this.lastOrder, deliveries)
    this.hand.set(id, held)
    this.fresh.push(held)
  }

  keep (held: Held): void {
    this.again.push(held)
  }

  get room (): number {
    return this.roster.capacity(this.services.limits.maxAckPending) - this.again.length - this.fresh.length
  }

  plan (): (subject: string) => 'now' | 'later' | 'never' {
    return this.roster.plan(this.services.limits.maxAckPending)
  }

  takeWaiting (): Held[] {
    return [...this.again.take(), ...this.fresh.take()].filter((held) => !held.isDone)
  }

  /** Delivers once this turn of the event loop is over, however many messages it acknowledges. */
  schedule (): void {
    if (this.isScheduled || this.isStopped) return
    this.isScheduled = true
    setImmediate(this.run)
  }

  /** Hands out what waits, in order, and asks for more. */
  pump (): void {
    if (this.isStopped) return
    this.settlement.flush()
    this.isOpen = this.hasCapacity()
    this.again.offer((held) => this.offer(held), () => this.isOpen)
    this.fresh.offer((held) => this.offer(held), () => this.isOpen)
    this.dealer.askWhetherRead(this.read)
    // What no free member wants must not hold back what one does.
    if (this.isOpen && this.room <= 0) this.supply.setAside(this.takeWaiting())
    this.supply.refill()
  }

  private hasCapacity (): boolean {
    const { maxAckPending } = this.services.limits
    return this.roster.present.some((member) => member.capacity(maxAckPending) > 0)
  }

  // hot: once per delivery
  /** False when a message has to wait. */
  private offer (held: Held): boolean {
    switch (this.dealer.deal(held, this.fresh.length)) {
      case 'later':
        this.isOpen = this.hasCapacity()
        return false
      case 'stray':
        this.supply.stray(held)
        break
      case 'spent':
        this.bury(held)
        break
      case 'forbidden':
        this.services.forbidden(this.id)
        this.discard(held)
        break
      case 'expired': // An MQTT session would not get it later either.
        this.discard(held)
        break
      case 'dealt':
    }
    return true
  }

  private answerBy (reply: string, held: Held): void {
    const { answers } = this.services
    answers.set(reply, { group: this, held })
    const old = held.answerBy(reply)
    if (old !== null) answers.delete(old)
  }

  /** What a member says of a message. `confirm` is called once the store knows. */
  settle (held: Held, verdict: Verdict, confirm: (() => void) | null): void {
    const { member } = held
    if (verdict.kind === 'ack' || verdict.kind === 'term') {
      this.done(held, confirm)
    } else if (member === null) {
      // It waits for another delivery already.
    } else if (verdict.kind === 'nak') {
      this.retake(held, member, verdict.delay)
    } else {
      held.deadline = Date.now() + this.services.limits.ackWait
      // The oldest deadline stays the first.
      member.pending.delete(held)
      member.pending.add(held)
    }
  }

  /** Takes a message back from a member, for another delivery. */
  private retake (held: Held, member: Member, delay = 0): void {
    member.pending.delete(held)
    if (member.pending.size === 0) this.roster.leaving.delete(member)
    held.member = null
    if (delay > 0) {
      this.retakeLater(held, delay)
    } else {
      this.again.push(held)
      this.schedule()
    }
  }

  private retakeLater (held: Held, delay: number): void {
    held.timer = setTimeout(() => {
      held.timer = null
      this.again.push(held)
      this.schedule()
    }, delay)
  }

  /** Nobody is to have the message again. */
  discard (held: Held): void {
    this.done(held, null)
  }

  private done (held: Held, confirm: (() => void) | null): void {
    if (held.isDone) return
    this.forget(held)
    this.settlement.add(held.id, confirm)
    this.schedule()
  }

  /** The message is no concern of this node any more. */
  forget (held: Held): void {
    held.isDone = true
    this.hand.delete(held.id)
    for (const subject of held.subjects) this.services.answers.delete(subject)
    if (held.timer !== null) clearTimeout(held.timer)
    const { member } = held
    if (member === null) return
    held.member = null
    member.pending.delete(held)
    if (member.pending.size === 0) this.roster.leaving.delete(member)
    this.supply.relieved(member.pending.size)
  }

  private bury (held: Held): void {
    this.services.bury(this, held).then(() => {
      this.buried++
      this.discard(held)
    }, (error: Error) => {
      this.services.log.error({ group: this.name }, `cannot publish what ${this.name} failed to handle, trying again: ${error.message}`)
      this.retakeLater(held, 1000)
    })
  }

  private tick (): void {
    const now = Date.now()
    this.roster.forEach((member) => {
      for (const held of member.pending) {
        if (held.deadline > now) break
        this.retake(held, member)
      }
    })
    this.supply.poll(now)
    this.settlement.flush()
  }

  /** Others have taken back what this node had. */
  lost (): void {
    this.settlement.clear()
    this.takeWaiting()
    for (const held of [...this.hand.values()]) this.forget(held)
    this.work()
  }

  /** Gives everything back to the store. */
  async stop (): Promise<void> {
    if (this.isStopped) return
    this.isStopped = true
    clearInterval(this.ticker)
    await this.settlement.finish()
    await this.supply.halt()
    const hand = [...this.hand.values()]
    await this.supply.release(hand).catch(() => { /* The store is away; it takes them back when our lease ends. */ })
    for (const held of hand) this.forget(held)
  }
}
