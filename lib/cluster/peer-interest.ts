import type { Node, RemoteReceiver } from '../routing/receiver.ts'
import type { Space, Spaces } from '../routing/spaces.ts'
import type { Trie } from '../subject/trie.ts'
import { decodeText } from '../wire/text.ts'
import type { Wanted } from './frames.ts'

/** What another node wants of one filter, in the router of its space. */
export class PeerReceiver implements RemoteReceiver {
  readonly node: Node
  readonly filter: string
  readonly queue: string | null
  readonly mountpoint: string
  readonly members: number
  readonly space: Space
  readonly wake?: () => void

  /** @param wake tells the node that messages were stored for the queue group; null where it is not durable */
  constructor (node: Node, space: Space, { filter, queue, mountpoint }: Wanted, members: number, wake: (() => void) | null) {
    this.node = node
    this.space = space
    this.filter = filter
    this.queue = queue
    this.mountpoint = mountpoint
    this.members = members
    if (wake !== null) this.wake = wake
  }

  /** Routes send to the node, not to each of its filters. */
  deliver (): boolean {
    return false
  }
}

/** A node, and what it tells that it wants. */
export interface WantingNode extends Node {
  wake (mountpoint: string, queue: string): void
}

/** The interest of another node, as it has told it, in the routers of this one. */
export class PeerInterest {
  private readonly node: WantingNode
  private readonly spaces: Spaces
  private readonly listeners: Trie<object>
  private readonly receivers = new Map<string, PeerReceiver>()
  private readonly listened = new Set<string>()
  private areQueuesIn = true
  /**
   * What has been said since all of it is said anew; null in between. It is taken at once, with the end: until then messages
   * come to the node by the queue, and it would take twice what it is sent besides.
   */
  private told: (() => void)[] | null = null
  /** What was wanted before, and has not been said again. */
  private stale = { receivers: new Set<string>(), listened: new Set<string>() }

  /** @param listeners what something besides gateways listens to, on all other nodes */
  constructor (node: WantingNode, spaces: Spaces, listeners: Trie<object>) {
    this.node = node
    this.spaces = spaces
    this.listeners = listeners
  }

  set (wanted: Wanted, members: number): void {
    if (this.told === null) this.apply(wanted, members)
    else this.told.push(() => { this.apply(wanted, members) })
  }

  private apply (wanted: Wanted, members: number): void {
    const { filter, queue, mountpoint } = wanted
    const key = `${mountpoint}\0${filter}\0${queue ?? ''}`
    this.stale.receivers.delete(key)
    const known = this.receivers.get(key)
    if (known !== undefined) {
      if (known.members === members) return
      this.remove(key, known)
    }
    if (members === 0) return
    const wake = wanted.isStored && queue !== null ? () => { this.node.wake(mountpoint, queue) } : null
    const receiver = new PeerReceiver(this.node, this.spaces.enter(decodeText(mountpoint) ?? mountpoint), wanted, members, wake)
    this.receivers.set(key, receiver)
    if (this.isIn(receiver)) receiver.space.router.subscribe(receiver)
  }

  private isIn ({ queue }: PeerReceiver): boolean {
    return queue === null || this.areQueuesIn
  }

  private remove (key: string, receiver: PeerReceiver): void {
    this.receivers.delete(key)
    if (this.isIn(receiver)) receiver.space.router.unsubscribe(receiver)
    this.spaces.leave(receiver.space)
  }

  listen (filter: string, isListened: boolean): void {
    if (this.told === null) this.applyListened(filter, isListened)
    else this.told.push(() => { this.applyListened(filter, isListened) })
  }

  private applyListened (filter: string, isListened: boolean): void {
    this.stale.listened.delete(filter)
    if (isListened === this.listened.has(filter)) return
    if (isListened) {
      this.listened.add(filter)
      this.listeners.insert(filter, this.node)
    } else {
      this.listened.delete(filter)
      this.listeners.remove(filter, this.node)
    }
  }

  /** All of it is going to be said anew; what was wanted is until then. */
  restart (): void {
    this.told = []
  }

  /** All of it has been said: what was not is not wanted any more. */
  complete (): void {
    const told = this.told ?? []
    this.told = null
    this.stale = { receivers: new Set(this.receivers.keys()), listened: new Set(this.listened) }
    for (const each of told) each()
    const { receivers, listened } = this.stale
    for (const key of receivers) this.remove(key, this.receivers.get(key) as PeerReceiver)
    for (const filter of listened) this.applyListened(filter, false)
    this.stale = { receivers: new Set(), listened: new Set() }
  }

  /** What something listens to there counts until the returned function is called, whatever becomes of the node. */
  keepListened (): () => void {
    const filters = [...this.listened]
    this.listened.clear()
    return () => { for (const filter of filters) this.listeners.remove(filter, this.node) }
  }

  /** Whether members of queue groups there may be chosen. */
  setQueues (areIn: boolean): void {
    if (areIn === this.areQueuesIn) return
    for (const receiver of this.receivers.values()) {
      if (receiver.queue === null) continue
      if (areIn) receiver.space.router.subscribe(receiver)
      else receiver.space.router.unsubscribe(receiver)
    }
    this.areQueuesIn = areIn
  }

  /** Filters with subscriptions. */
  get size (): number {
    return this.receivers.size
  }

  clear (): void {
    this.restart()
    this.complete()
  }
}
