/** Whether there are nodes with Aedes and without the gateway: 'auto' finds out. */
export type PlainNodesOption = boolean | 'auto'

/** What is known of a node from Aedes. */
interface Sign {
  /** What Aedes remembered when this was looked at: the time of its last heartbeat, by its clock. */
  beat: number
  /** When it was new, by `performance.now`. */
  at: number
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
  /** Brokers whose gateway was here and has left; their Aedes may live on. */
  private readonly left = new Map<string, number>()
  /** Of Aedes that have no gateway yet, by `performance.now`. */
  private readonly births = new Map<string, number>()
  private answer: boolean

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
    this.answer = option !== false
  }

  /** Whether one may live, as of the last `look`. */
  get mayLive (): boolean {
    return this.answer
  }

  /** Those that are known. */
  get known (): string[] {
    return [...this.signs.keys()].filter((broker) => !this.isCovered(broker))
  }

  /** A broker says that it was born. */
  born (broker: string): void {
    const at = performance.now()
    this.signs.set(broker, { beat: this.brokers()[broker] ?? 0, at })
    this.births.set(broker, at)
  }

  /** The gateway of a broker has left; what Aedes heard of it so far is no sign of life. */
  gatewayLeft (broker: string): void {
    this.left.set(broker, this.brokers()[broker] ?? 0)
    this.signs.delete(broker)
  }

  /** Where every node has the gateway, Aedes is there before it. */
  private isBeingBorn (now: number): boolean {
    for (const [broker, at] of this.births) if (now - at > patience || this.isCovered(broker)) this.births.delete(broker)
    return this.births.size > 0
  }

  /** Looks at what Aedes has heard. @returns whether the answer has changed */
  look (): boolean {
    const now = performance.now()
    const brokers = this.brokers()
    for (const [broker, beat] of Object.entries(brokers)) {
      const sign = this.signs.get(broker)
      if (sign?.beat === beat || this.left.get(broker) === beat) continue
      this.left.delete(broker)
      this.signs.set(broker, { beat, at: now })
    }
    for (const [broker, { at }] of this.signs) if (now - at > lifetime * this.interval) this.signs.delete(broker)
    for (const broker of this.left.keys()) if (brokers[broker] === undefined) this.left.delete(broker)
    const before = this.answer
    this.answer = this.option === true || (this.option === false ? this.isBeingBorn(now) : now - this.startedAt < this.interval || this.known.length > 0)
    return this.answer !== before
  }
}
