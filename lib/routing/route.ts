import type { Destination } from '../broker/bridge.ts'
import type { Publishing } from '../broker/properties.ts'
import type { Message } from '../wire/message.ts'
import { QueueGroup } from './queue-group.ts'
import { isRemote, type Node, type Producer, type Receiver, type RemoteReceiver } from './receiver.ts'

const nobody: readonly never[] = []

/** Another node that gets messages of a route, and whether it has plain subscriptions to them. */
interface Leg {
  readonly node: Node
  readonly mountpoint: string
  isPlain: boolean
}

/** Everybody who gets the messages of one subject. */
export class Route implements Destination {
  readonly subject: string
  topic: string | null | undefined
  /** Whether it is one of messages that a wildcard at the start of a filter does not match. */
  readonly isHidden: boolean
  readonly receiverCount: number
  readonly plain: readonly Receiver[]
  readonly groups: readonly QueueGroup[]
  private readonly legs: readonly Leg[]
  private readonly isStored: boolean
  /** What the cache counts for it, and the topic that it keeps it under. */
  bytes = 0
  heardAs: string | null = null
  listened = false
  listenedAt = -1
  ruled: Publishing | -1 = -1

  constructor (subject: string, topic: string | undefined, receivers: readonly Receiver[], { isHidden = false, prefersHere = false } = {}) {
    this.subject = subject
    this.topic = topic
    this.isHidden = isHidden
    this.receiverCount = receivers.length
    const isMixed = receivers.some((receiver) => receiver.queue !== null || isRemote(receiver))
    this.plain = isMixed ? receivers.filter((receiver) => receiver.queue === null && !isRemote(receiver)) : receivers
    this.groups = isMixed ? groupsOf(receivers, prefersHere) : nobody
    this.legs = isMixed ? legsOf(receivers) : nobody
    this.isStored = this.groups.length > 0 && receivers.every((receiver) => receiver.wake !== undefined)
  }

  // hot: once per message with a QoS above 0
  /** Whether every receiver gets such messages from a store; they are told then. */
  wake (): boolean {
    if (!this.isStored) return false
    const { groups } = this
    for (let i = 0; i < groups.length; i++) (groups[i] as QueueGroup).wake()
    return true
  }

  get hasReceivers (): boolean {
    return this.plain.length > 0 || this.groups.length > 0 || this.legs.length > 0
  }

  // hot: once per message that entered here
  /**
   * To every plain subscription, here and on other nodes, then to one member of each group.
   *
   * @returns the number of deliveries, to other nodes too
   */
  deliver (message: Message, producer: Producer | null): number {
    let delivered = this.deliverPlain(message, producer)
    const { groups } = this
    let elsewhere: QueueGroup[] | null = null
    for (let i = 0; i < groups.length; i++) {
      const group = groups[i] as QueueGroup
      if (group.deliver(message, producer)) delivered++
      else if (this.legs.length > 0) (elsewhere ??= []).push(group)
    }
    if (this.legs.length === 0) return delivered
    if (elsewhere !== null) delivered += choose(elsewhere)
    return delivered + this.send(message, producer)
  }

  private deliverPlain (message: Message, producer: Producer | null): number {
    let delivered = 0
    const { plain } = this
    for (let i = 0; i < plain.length; i++) {
      if ((plain[i] as Receiver).deliver(message, producer)) delivered++
    }
    return delivered
  }

  // hot: once per message that other nodes get
  /** Counts plain subscriptions; groups are counted where they choose. */
  private send (message: Message, producer: Producer | null): number {
    let delivered = 0
    const { legs } = this
    for (let i = 0; i < legs.length; i++) {
      const { node, mountpoint, isPlain } = legs[i] as Leg
      if (!isPlain && !node.isChosen) continue
      if (isPlain && node.isAlive) delivered++
      node.send(message, mountpoint, isPlain, this.isHidden, producer)
      if (producer !== null && node.isCongested) producer.stall(node)
    }
    return delivered
  }

  // hot: once per message from another node
  /**
   * To those on this node that the node where the message entered has named.
   *
   * @param queues the groups whose member here is to get it
   * @param mayPass whether a group that has no member here any more may name one elsewhere
   * @param except the node where whoever published it does not want it back; null where there is none
   */
  deliverNamed (message: Message, isPlain: boolean, queues: readonly string[], mayPass: boolean, except: Node | null): void {
    if (isPlain) this.deliverPlain(message, null)
    if (queues.length === 0) return
    const gone = this.groups.filter((group) => queues.includes(group.name) && !group.deliverHere(message, null))
    if (!mayPass || choose(gone, except) === 0) return
    for (const { node, mountpoint } of this.legs) if (node.isChosen) node.send(message, mountpoint, false, this.isHidden, null, true)
  }

  // hot: once per message from a node without the gateway
  /**
   * To plain subscriptions of this node, and to a member of each group that every node chooses for itself.
   *
   * @param key the same on all nodes for this message
   * @param self the id of this node
   */
  deliverShared (message: Message, key: number, self: string): void {
    this.deliverPlain(message, null)
    for (const group of this.groups) {
      if (group.isChosenByAll(key, self)) group.deliverHere(message, null)
    }
  }
}

/** Names a member elsewhere for each group. @returns for how many there is one */
function choose (groups: readonly QueueGroup[], except: Node | null = null): number {
  let chosen = 0
  for (const group of groups) if (group.choose(except)) chosen++
  return chosen
}

/** One group over all matching filters: its name alone counts (server/sublist.go findQSlot). */
function groupsOf (receivers: readonly Receiver[], prefersHere: boolean): QueueGroup[] {
  const groups = new Map<string, QueueGroup>()
  for (const receiver of receivers) {
    if (receiver.queue === null) continue
    let group = groups.get(receiver.queue)
    if (group === undefined) groups.set(receiver.queue, group = new QueueGroup(receiver.queue, prefersHere))
    group.add(receiver)
  }
  return [...groups.values()]
}

function legsOf (receivers: readonly Receiver[]): Leg[] {
  const legs = new Map<Node, Leg>()
  for (const receiver of receivers.filter(isRemote)) {
    const leg = legs.get(receiver.node)
    if (leg === undefined) legs.set(receiver.node, legOf(receiver))
    else leg.isPlain ||= receiver.queue === null
  }
  return [...legs.values()]
}

function legOf ({ node, mountpoint, queue }: RemoteReceiver): Leg {
  return { node, mountpoint, isPlain: queue === null }
}
