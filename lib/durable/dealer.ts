import type { Delivery } from './delivery.ts'
import type { Held } from './held.ts'
import type { Member } from './member.ts'
import type { Roster } from './roster.ts'

/** What the members of a group may have, and for how long. */
export interface DeliveryLimits {
  /** Unacknowledged messages of a member. */
  readonly maxAckPending: number
  /** Milliseconds. */
  readonly ackWait: number
  /** Deliveries of a message; 0 is no limit. */
  readonly maxDeliver: number
}

/**
 * What became of a message: `dealt` to a member; to go `later`, since no member that wants it can take it; a `stray` that
 * no member here wants; `spent`, delivered too often; `expired`, too late for anybody; `forbidden` to every member by the host.
 */
export type Outcome = 'dealt' | 'later' | 'stray' | 'spent' | 'expired' | 'forbidden'

/** Hands messages to the members of a group on this node, in turn. */
export class Dealer {
  private readonly roster: Roster
  private readonly delivery: Delivery
  private readonly limits: DeliveryLimits
  private readonly answered: (reply: string, held: Held) => void
  private readonly relieved: () => void
  private unread: Member[] = []
  private turn = 0
  private deliveries = 0

  /**
   * @param answered told of the reply subject of each delivery
   * @param relieved called when a member that did not keep up does again
   */
  constructor (roster: Roster, delivery: Delivery, limits: DeliveryLimits, answered: (reply: string, held: Held) => void, relieved: () => void) {
    this.roster = roster
    this.delivery = delivery
    this.limits = limits
    this.answered = answered
    this.relieved = relieved
  }

  // hot: once per delivery
  /** @param waiting how many follow in hand */
  deal (held: Held, waiting: number): Outcome {
    const { maxAckPending, maxDeliver } = this.limits
    if (held.isExpired) return 'expired'
    const members = this.roster.membersFor(held.message.subject)
    if (members.length === 0) return 'stray'
    if (maxDeliver > 0 && held.deliveries >= maxDeliver) return 'spent'
    let refused = 0
    for (let tried = 0; tried < members.length; tried++) {
      const member = members[this.turn++ % members.length] as Member
      if (member.capacity(maxAckPending) === 0) continue
      if (this.deliver(held, member, waiting)) return 'dealt'
      if (!member.isLeaving) refused++
    }
    return refused === members.length ? 'forbidden' : 'later'
  }

  // hot: once per delivery
  private deliver (held: Held, member: Member, waiting: number): boolean {
    const { recipient } = member
    const reply = this.delivery.reply(held, waiting)
    held.member = member
    held.deadline = Date.now() + this.limits.ackWait
    held.sequence = ++this.deliveries
    member.pending.add(held)
    if (!recipient.take(this.delivery.message(held, reply), reply === '' ? '' : held.message.reply)) {
      member.pending.delete(held)
      held.member = null
      return false
    }
    held.deliveries++
    if (reply !== '') {
      this.answered(reply, held)
    } else if (member.isRead) {
      member.isRead = false
      this.unread.push(member)
    }
    if (!recipient.isKeepingUp && !member.isClogged) {
      member.isClogged = true
      recipient.whenKeepingUp(() => {
        member.isClogged = false
        this.relieved()
      })
    }
    return true
  }

  /** Where PONG acknowledges: asks those who were delivered to whether they have read it. */
  askWhetherRead (done: (held: Held) => void): void {
    if (this.unread.length === 0) return
    const { unread } = this
    this.unread = []
    const last = this.deliveries
    for (const member of unread) {
      member.isRead = true
      member.recipient.whenRead(() => {
        for (const held of member.pending) {
          if (held.sequence > last) break
          done(held)
        }
      })
    }
  }
}
