/** What is said and heard at each beat. */
export interface HeartbeatPort {
  /** Says that this node is there; calls back once the queue has it, or with what kept it from that. */
  say (done: (error?: Error | null) => void): void
  /**
   * This node has heard itself.
   *
   * @param isSteady whether the one before was heard about a beat ago: whoever was not heard of meanwhile is missing
   */
  heard (isSteady: boolean): void
  /** The queue has not brought this node its own word for some beats, or does so again. */
  silent (isSilent: boolean): void
}

// Shorter than a beat: what comes closer together was held up somewhere.
const leastShare = 0.5
const mostShare = 2
// Beats after which the queue counts as silent.
const silentAfter = 3

/**
 * The clock of a cluster: a node says that it is there, and counts the beats that it hears of itself. While it does not
 * hear itself, it cannot tell that others are silent: the queue is away, asleep, or this process was stopped. So time is
 * not asked, and one beat at a time is under way.
 */
export class Heartbeat {
  private readonly port: HeartbeatPort
  private readonly interval: number
  private timer: NodeJS.Timeout | null = null
  private isUnderWay = false
  private isSaid = false
  /** Timer ticks since it was said. */
  private ticks = 0
  private heardAt = 0
  /** Timer ticks since this node heard itself. */
  private quiet = 0

  /** @param interval of a beat, in milliseconds */
  constructor (port: HeartbeatPort, interval: number) {
    this.port = port
    this.interval = interval
  }

  start (): void {
    this.timer = setInterval(() => { this.tick() }, this.interval)
    this.timer.unref()
    this.beat()
  }

  /** Out of turn: somebody is new. */
  beat (): void {
    this.isUnderWay = true
    this.isSaid = false
    this.ticks = 0
    this.port.say((error) => {
      if (error === undefined || error === null) this.isSaid = true
      else this.isUnderWay = false
    })
  }

  private tick (): void {
    if (++this.quiet === silentAfter) this.port.silent(true)
    // What the queue took and did not bring back is lost.
    if (!this.isUnderWay || (this.isSaid && ++this.ticks > 1)) this.beat()
  }

  /** The queue has brought what this node said. */
  echoed (): void {
    this.isUnderWay = false
    if (this.quiet >= silentAfter) this.port.silent(false)
    this.quiet = 0
    const now = performance.now()
    const since = now - this.heardAt
    if (since < this.interval * leastShare) return
    this.heardAt = now
    this.port.heard(since < this.interval * mostShare)
  }

  stop (): void {
    if (this.timer !== null) clearInterval(this.timer)
    this.timer = null
  }
}
