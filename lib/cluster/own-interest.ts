import type { Announcer } from '../routing/router.ts'
import type { Receiver } from '../routing/receiver.ts'
import { encodeText } from '../wire/text.ts'
import { completeFrame, listenedFrame, wantedFrame, type Wanted } from './frames.ts'

interface Entry {
  readonly wanted: Wanted
  members: number
}

/** What this node wants, as the other nodes are told: each change, and all of it to who is new. */
export class OwnInterest implements Announcer {
  /** The number of the latest change. */
  stamp = 0
  private readonly entries = new Map<string, Entry>()
  private readonly listened: () => Iterable<string>
  private readonly tell: (frame: string) => void

  /**
   * @param listened the filters, as subjects, that something besides the gateway listens to at the queue of this node
   * @param tell called with a frame for each change
   */
  constructor (listened: () => Iterable<string>, tell: (frame: string) => void) {
    this.listened = listened
    this.tell = tell
  }

  subscribed (mountpoint: string, receiver: Receiver): void {
    const key = keyOf(mountpoint, receiver)
    let entry = this.entries.get(key)
    if (entry === undefined) {
      const { filter, queue, wake } = receiver
      entry = { wanted: { filter, queue, mountpoint: encodeText(mountpoint), isStored: wake !== undefined }, members: 0 }
      this.entries.set(key, entry)
    }
    entry.members++
    this.changed(entry)
  }

  unsubscribed (mountpoint: string, receiver: Receiver): void {
    const key = keyOf(mountpoint, receiver)
    const entry = this.entries.get(key)
    if (entry === undefined) return
    if (--entry.members === 0) this.entries.delete(key)
    if (entry.members === 0 || entry.wanted.queue !== null) this.changed(entry)
  }

  /** Of plain subscriptions others need not know how many there are. */
  private changed ({ wanted, members }: Entry): void {
    if (wanted.queue === null && members > 1) return
    this.stamp++
    this.tell(wantedFrame(wanted, members))
  }

  /** Something besides the gateway begins to listen to a filter at the queue, or ends. */
  listens (filter: string, isListened: boolean): void {
    this.stamp++
    this.tell(listenedFrame(filter, isListened))
  }

  /** A change that changes nothing, so that all before it is acknowledged. @returns its number */
  mark (): number {
    this.stamp++
    this.tell(completeFrame)
    return this.stamp
  }

  /** All of it, as frames. */
  * state (): Iterable<string> {
    for (const { wanted, members } of this.entries.values()) yield wantedFrame(wanted, members)
    for (const filter of this.listened()) yield listenedFrame(filter, true)
  }
}

// Neither names nor topics hold NUL.
function keyOf (mountpoint: string, { filter, queue }: Receiver): string {
  return queue === null ? `${mountpoint}\0${filter}` : `${mountpoint}\0${filter}\0${queue}`
}
