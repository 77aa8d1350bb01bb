import type { Names } from '../subject/names.ts'
import { Trie } from '../subject/trie.ts'
import { Member, type Recipient } from './member.ts'

// Subjects whose members are kept.
const maxSubjects = 10_000

/** The members of a group on this node. */
export class Roster {
  /** Those whose subscription is there. */
  present: readonly Member[] = []
  /** Those whose subscription has ended, with messages that they may still acknowledge. */
  readonly leaving = new Set<Member>()
  private readonly names: Names
  private readonly trie = new Trie<Member>()
  private readonly bySubject = new Map<string, readonly Member[]>()

  constructor (names: Names) {
    this.names = names
  }

  join (recipient: Recipient): Member {
    const member = new Member(recipient)
    this.present = [...this.present, member]
    this.trie.insert(recipient.filter, member)
    this.bySubject.clear()
    return member
  }

  leave (member: Member): void {
    member.isLeaving = true
    this.present = this.present.filter((each) => each !== member)
    this.trie.remove(member.recipient.filter, member)
    this.bySubject.clear()
    if (member.pending.size > 0) this.leaving.add(member)
  }

  /** What those present ask for, each topic filter once. */
  get topicFilters (): string[] {
    return [...new Set(this.present.flatMap(({ recipient }) => this.names.prefixFiltersOf(recipient.filter)))]
  }

  // hot: once per message
  /** Whose filter matches. A `$` topic needs one that names the first token (MQTT 3.1.1, 4.7.2). */
  membersFor (subject: string): readonly Member[] {
    const known = this.bySubject.get(subject)
    if (known !== undefined) return known
    const found: Member[] = []
    this.trie.match(subject, found, this.names.literalTokens(this.names.topicOf(subject) ?? ''))
    if (this.bySubject.size >= maxSubjects) this.bySubject.clear()
    this.bySubject.set(subject, found)
    return found
  }

  /** Tells of one message after the other whether a member here wants it, and could take it besides those before. */
  plan (maxAckPending: number): (subject: string) => 'now' | 'later' | 'never' {
    const left = new Map<Member, number>()
    return (subject) => {
      const members = this.membersFor(subject)
      for (const member of members) {
        const capacity = left.get(member) ?? member.capacity(maxAckPending)
        left.set(member, capacity - 1)
        if (capacity > 0) return 'now'
      }
      return members.length === 0 ? 'never' : 'later'
    }
  }

  /** Messages that all together could take now. */
  capacity (maxAckPending: number): number {
    let capacity = 0
    for (const member of this.present) capacity += member.capacity(maxAckPending)
    return capacity
  }

  /** Messages that members have and have not acknowledged. */
  get pending (): number {
    let pending = 0
    for (const { pending: { size } } of this.present) pending += size
    for (const { pending: { size } } of this.leaving) pending += size
    return pending
  }

  /** Calls back for everyone who may have messages. */
  forEach (callback: (member: Member) => void): void {
    for (const member of this.present) callback(member)
    for (const member of this.leaving) callback(member)
  }
}
