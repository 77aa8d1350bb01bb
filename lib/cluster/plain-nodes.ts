/** Whether there are nodes with Aedes and without the gateway: 'auto' finds out. */
export type PlainNodesOption = boolean | 'auto'

/** What is known of a node from Aedes. */
interface Sign {
  /** What Aedes remembered when this was looked at: the time of its last heartbeat, by its clock. */
  readonly beat: number
  /** When that was new, and when the node was born; by `performance.now`. */
  readonly at: number
  readonly bornAt: number
}

/** A node whose gateway has left. */
interface Departure {
  /** As of a {@link Sign}: the same is no sign of life. */
  readonly beat: number
  /** When it left, by `performance.now`; long ago where its Aedes is gone, too. */
  readonly at: number
}

// Heartbeats of the host after which a silent node is gone, as Aedes counts (aedes.js _clearWills).
const lifetime = 3
// How long after its birth a broker may be without its gateway where all have one, in milliseconds.
const patience = 10_000

/**
 * The nodes of a cluster that run Aedes without the gateway. Aedes hears of a running node at that node's next heartbeat,
 * and of a new one at once (`$SYS/<id>/birth`), so nobody can say that there is none before one heartbeat has passed.
 */
export class PlainNodes {
  private readonly option: PlainNodesOption
  private readonly brokers: () => Readonly<Record<string, number>>
  private readonly isCovered: (broker: string) => boolean
  private readonly interval: number
  private readonly startedAt = performance.now()
  private readonly signs = new Map<string, Sign>()
  private readonly departures = new Map<string, Departure>()
  /** Whether one may live, as of the last `look`: somebody there may want, or answer, anything. */
  mayLive: boolean
  /** Whether one may publish: also where a gateway has just left, whose Aedes says that it lives on only with its next heartbeat. */
  mayPublish: boolean

  /**
   * @param brokers when Aedes has heard of which node
   * @param isCovered whether a broker is of this node, or of one with a gateway that was not seen leaving
   * @param interval of the host's heartbeats, in milliseconds
   */
  constructor (option: PlainNodesOption, brokers: () => Readonly<Record<string, number>>, isCovered: (broker: string) => boolean, interval: number) {
    this.option = option
    this.brokers = brokers
    this.isCovered = isCovered
    this.interval = interval
    this.mayLive = this.mayPublish = option !== false
  }

  /** A broker says that it was born. */
  born (broker: string): void {
    const at = performance.now()
    this.signs.set(broker, { beat: this.beatOf(broker), at, bornAt: at })
  }

  /** The gateway of a broker has left. @param mayLive whether its Aedes may live on */
  gatewayLeft (broker: string, mayLive: boolean): void {
    this.departures.set(broker, { beat: this.beatOf(broker), at: mayLive ? performance.now() : -Infinity })
    this.signs.delete(broker)
  }

  private beatOf (broker: string): number {
    return this.brokers()[broker] ?? 0
  }

  /** Looks at what Aedes has heard. @returns whether an answer has changed */
  look (): boolean {
    const now = performance.now()
    this.readSigns(now)
    const { mayLive, mayPublish } = this
    this.mayLive = this.option === true || this.isKnown(now) || (this.option === 'auto' && now - this.startedAt < this.interval)
    this.mayPublish = this.mayLive || [...this.departures.values()].some(({ at }) => now - at < this.interval)
    return this.mayLive !== mayLive || this.mayPublish !== mayPublish
  }

  private readSigns (now: number): void {
    const brokers = this.brokers()
    for (const [broker, beat] of Object.entries(brokers)) {
      const known = this.signs.get(broker)
      if (known?.beat === beat || this.departures.get(broker)?.beat === beat) continue
      this.departures.delete(broker)
      this.signs.set(broker, { beat, at: now, bornAt: known?.bornAt ?? -Infinity })
    }
    for (const [broker, { at }] of this.signs) if (now - at > lifetime * this.interval) this.signs.delete(broker)
    for (const [broker, { at }] of this.departures) if (brokers[broker] === undefined && now - at > this.interval) this.departures.delete(broker)
  }

  /** Whether there is one; where every node has the gateway, one that is about to get it. */
  private isKnown (now: number): boolean {
    for (const [broker, { bornAt }] of this.signs) {
      if (!this.isCovered(broker) && (this.option !== false || now - bornAt < patience)) return true
    }
    return false
  }
}
