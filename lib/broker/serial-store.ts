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

/** Packets for the same clients, one after the other, which the persistence may have side by side. */
class Group {
  readonly key: string
  readonly clients: readonly string[]
  /** Whether those before it are through, or waited for no longer. */
  started: boolean
  private running = 0
  /** Called when it is through. */
  over: () => void = nothing
  readonly done = new Promise<void>((resolve) => { this.over = resolve })
  /** Resolves when it may start. */
  start: Promise<unknown> | null = null

  constructor (key: string, clients: readonly string[], started: boolean) {
    this.key = key
    this.clients = clients
    this.started = started
  }

  begin (): void {
    this.running++
  }

  /** @returns whether it is through */
  end (): boolean {
    return --this.running === 0
  }
}

/**
 * Any persistence, in the order of calls for each client. aedes-persistence-redis appends client by client, each once
 * the one before is done, so that packets for few clients overtake those for many. Those for the same clients take the
 * same steps, and stay in order; others wait.
 */
export class SerialStore implements EnqueueStore {
  readonly answers = false
  private readonly persistence: Persistence
  private readonly enqueueNow: Enqueue
  private readonly deadline: number
  /** The newest group of each client that has one. */
  private readonly newest = new Map<string, Group>()

  /** @param deadline how long packets are waited for, in milliseconds */
  constructor (persistence: Persistence, deadline: number) {
    this.persistence = persistence
    this.enqueueNow = persistence.outgoingEnqueueCombi
    this.deadline = deadline
  }

  enqueue (subscriptions: readonly StoredSubscription[], packet: PublishPacket): Promise<unknown> {
    const group = this.groupOf(subscriptions)
    group.begin()
    const end = (): void => { if (group.end()) this.forget(group) }
    const run = (): Promise<unknown> => this.enqueueNow.call(this.persistence, subscriptions, packet)
    const stored = group.started ? run() : (group.start as Promise<unknown>).then(run)
    stored.then(end, end)
    return stored
  }

  private groupOf (subscriptions: readonly StoredSubscription[]): Group {
    const clients = subscriptions.map(({ clientId }) => clientId)
    const key = clients.join('\0')
    const before = new Set<Group>()
    for (const client of clients) {
      const known = this.newest.get(client)
      if (known !== undefined) before.add(known)
    }
    const [only] = before
    // One that is through is gone, so it is the newest of all its clients if it is of one.
    if (before.size === 1 && only?.key === key) return only
    const group = new Group(key, clients, before.size === 0)
    for (const client of clients) this.newest.set(client, group)
    if (before.size > 0) group.start = this.whenOver(before).then(() => { group.started = true })
    return group
  }

  private forget (group: Group): void {
    for (const client of group.clients) if (this.newest.get(client) === group) this.newest.delete(client)
    group.over()
  }

  private whenOver (groups: ReadonlySet<Group>): Promise<unknown> {
    let timer: NodeJS.Timeout | undefined
    const deadline = new Promise((resolve) => {
      timer = setTimeout(resolve, this.deadline)
      timer.unref()
    })
    const over = Promise.all([...groups].map(({ done }) => done))
    return Promise.race([over, deadline]).finally(() => { clearTimeout(timer) })
  }
}

function nothing (): void {}
