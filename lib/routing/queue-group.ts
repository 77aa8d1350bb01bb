import type { Message } from '../wire/message.ts'
import { isRemote, type Producer, type Receiver, type RemoteReceiver } from './receiver.ts'

/** The members of a queue group that a subject matches, in the whole cluster. */
export class QueueGroup {
  readonly name: string
  private readonly prefersHere: boolean
  private readonly members: Receiver[] = []
  private readonly remote: RemoteReceiver[] = []
  private remoteMembers = 0
  private isStored = true

  /** @param prefersHere whether a member of this node gets it where there is one */
  constructor (name: string, prefersHere: boolean) {
    this.name = name
    this.prefersHere = prefersHere
  }

  add (receiver: Receiver): void {
    if (receiver.wake === undefined) this.isStored = false
    if (isRemote(receiver)) {
      this.remote.push(receiver)
      this.remoteMembers += receiver.members
    } else {
      this.members.push(receiver)
    }
  }

  /** Tells the nodes that have members that a message was stored for them. */
  wake (): void {
    this.members[0]?.wake?.()
    for (const receiver of this.remote) receiver.wake?.()
  }

  // hot: once per message that entered here
  /** To a random member: here, or named to its node, which is sent the message afterwards. False where nobody takes it. */
  deliver (message: Message, producer: Producer | null): boolean {
    if (this.remote.length === 0) return this.deliverHere(message, producer)
    if (this.isStored && message.qos > 0) {
      this.wake()
      return true
    }
    const here = this.members.length
    const isHere = here > 0 && (this.prefersHere || Math.random() * (here + this.remoteMembers) < here)
    if (isHere && this.deliverHere(message, producer)) return true
    return this.choose(false) || (!isHere && this.deliverHere(message, producer)) || this.choose(true)
  }

  // hot: once per message
  /** To a random member of this node, or to the next that takes it. */
  deliverHere (message: Message, producer: Producer | null): boolean {
    const { members } = this
    let at = members.length <= 1 ? 0 : Math.floor(Math.random() * members.length)
    for (let tried = 0; tried < members.length; tried++) {
      if ((members[at] as Receiver).deliver(message, producer)) return true
      if (++at === members.length) at = 0
    }
    return false
  }

  // hot: once per message that a member elsewhere gets
  /**
   * Names a random member of another node to it; false where there is none.
   *
   * @param mayBeLate whether a node will do that may be gone
   */
  choose (mayBeLate: boolean): boolean {
    const { remote } = this
    let at = remote.length === 1 ? 0 : Math.floor(Math.random() * this.remoteMembers)
    let first = 0
    while (at >= (remote[first]?.members ?? Infinity)) at -= (remote[first++] as RemoteReceiver).members
    for (let i = 0; i < remote.length; i++) {
      const { node } = remote[(first + i) % remote.length] as RemoteReceiver
      if (!mayBeLate && node.isLate) continue
      node.choose(this.name)
      return true
    }
    return false
  }

  /**
   * Whether the member is one of this node, where every node with members chooses for itself.
   *
   * @param key the same on all nodes for a message
   * @param self the id of this node
   */
  isChosenByAll (key: number, self: string): boolean {
    if (this.remote.length === 0) return true
    const counts = new Map([[self, this.members.length]])
    for (const { node: { id }, members } of this.remote) counts.set(id, (counts.get(id) ?? 0) + members)
    const own = scoreOf(self, this.members.length, key)
    for (const [id, count] of counts) {
      const score = id === self ? -1 : scoreOf(id, count, key)
      if (score > own || (score === own && id < self)) return false
    }
    return own > 0
  }
}

/**
 * How much a node wants a message: the highest gets it (rendezvous hashing, weighted by members). Where one node knows of a
 * member that another does not, they differ about that member's share alone.
 */
function scoreOf (id: string, members: number, key: number): number {
  let hash = key | 0
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b)
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35)
  return members / -Math.log(((hash ^ hash >>> 16) >>> 0) / 0x1_0000_0000 + Number.MIN_VALUE)
}
