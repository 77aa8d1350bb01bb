import type { Persistence, PublishPacket, StoredSubscription } from './host.ts'
import type { EnqueueStore } from './publish-order.ts'

type Enqueue = Persistence['outgoingEnqueueCombi']

/** A persistence that has stored when its method returns. */
export class DirectStore implements EnqueueStore {
  readonly answers = false
  private readonly persistence: Persistence
  private readonly enqueueNow: Enqueue

  constructor (persistence: Persistence) {
    this.persistence = persistence
    this.enqueueNow = persistence.outgoingEnqueueCombi
  }

  enqueue (subscriptions: readonly StoredSubscription[], packet: PublishPacket): Promise<unknown> {
    return this.enqueueNow.call(this.persistence, subscriptions, packet)
  }
}

/**
 * Any persistence, one packet at a time for each client: aedes-persistence-redis appends client by client, each once the
 * one before is done, so that packets for few clients overtake those for many.
 */
export class SerialStore implements EnqueueStore {
  readonly answers = false
  private readonly persistence: Persistence
  private readonly enqueueNow: Enqueue
  private readonly deadline: number
  /** The last packet under way for a client. */
  private readonly last = new Map<string, Promise<unknown>>()

  /** @param deadline how long a packet is waited for, in milliseconds */
  constructor (persistence: Persistence, deadline: number) {
    this.persistence = persistence
    this.enqueueNow = persistence.outgoingEnqueueCombi
    this.deadline = deadline
  }

  enqueue (subscriptions: readonly StoredSubscription[], packet: PublishPacket): Promise<unknown> {
    const before = new Set<Promise<unknown>>()
    for (const { clientId } of subscriptions) {
      const known = this.last.get(clientId)
      if (known !== undefined) before.add(known)
    }
    const run = (): Promise<unknown> => this.enqueueNow.call(this.persistence, subscriptions, packet)
    const result = before.size === 0 ? run() : this.patience(before).then(run)
    const over = (): void => {
      for (const { clientId } of subscriptions) if (this.last.get(clientId) === settled) this.last.delete(clientId)
    }
    const settled = result.then(over, over)
    for (const { clientId } of subscriptions) this.last.set(clientId, settled)
    return result
  }

  private patience (before: ReadonlySet<Promise<unknown>>): Promise<unknown> {
    let timer: NodeJS.Timeout | undefined
    const deadline = new Promise((resolve) => {
      timer = setTimeout(resolve, this.deadline)
      timer.unref()
    })
    return Promise.race([Promise.all(before), deadline]).finally(() => { clearTimeout(timer) })
  }
}
