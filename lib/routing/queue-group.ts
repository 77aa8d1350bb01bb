import type { Message } from '../wire/message.ts'
import { isRemote, type Node, type Producer, type Receiver, type RemoteReceiver } from './receiver.ts'

/** The members of a queue group that a subject matches, in the whole cluster. */
export class QueueGroup {
  readonly name: string
  private readonly prefersHere: boolean
  private readonly members: Receiver[] = []
  private readonly remote: RemoteReceiver[] = []
  private remoteMembers = 0
  private readonly membersByNode = new Map<string, number>()
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
      this.membersByNode.set(receiver.node.id, (this.membersByNode.get(receiver.node.id) ?? 0) + receiver.members)
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
  /**
   * To a random member, if it falls to one of this node, or nobody elsewhere is sure to be there.
   *
   * @returns false where it is for a member elsewhere, or for nobody: `choose` tells
   */
  deliver (message: Message, producer: Producer | null): boolean {
    if (this.remote.length === 0) return this.deliverHere(message, producer)
    if (this.isStored && message.qos > 0) {
      this.wake()
      return true
    }
    const here = this.members.length
    if (here === 0) return false
    const isHere = this.prefersHere || Math.random() * (here + this.remoteMembers) < here
    return (isHere || this.areRemoteLate) && this.deliverHere(message, producer)
  }

  private get areRemoteLate (): boolean {
    for (const { node } of this.remote) if (!node.isLate) return false
    return true
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
   * Names a random member of another node to it, of one that may be gone only where all may be; false where there is none.
   * Nothing of the host may run until the node is sent the message.
   *
   * @param except a node whose members are not to get it
   */
  choose (except: Node | null = null): boolean {
    const remote = except === null ? this.remote : this.remote.filter(({ node }) => node !== except)
    if (remote.length === 0) return false
    const members = except === null ? this.remoteMembers : remote.reduce((sum, each) => sum + each.members, 0)
    let at = remote.length === 1 ? 0 : Math.floor(Math.random() * members)
    let first = 0
    while (at >= (remote[first] as RemoteReceiver).members) at -= (remote[first++] as RemoteReceiver).members
    let chosen = remote[first] as RemoteReceiver
    for (let i = 1; chosen.node.isLate && i < remote.length; i++) chosen = remote[(first + i) % remote.length] as RemoteReceiver
    if (chosen.node.isLate) chosen = remote[first] as RemoteReceiver
    chosen.node.choose(this.name)
    return true
  }

  /**
   * Whether the member is one of this node, where every node with members chooses for itself.
   *
   * @param key the same on all nodes for a message
   * @param self the id of this node
   */
  isChosenByAll (key: number, self: string): boolean {
    const own = scoreOf(self, this.members.length, key)
    for (const [id, members] of this.membersByNode) {
      const score = scoreOf(id, members, key)
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
