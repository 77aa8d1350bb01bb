import { firstPingInterval, firstPingJitter, rttMaxAge } from '../wire/limits.ts'

/** What keepalive needs of its connection. */
export interface KeepaliveOwner {
  readonly gate: { readonly isHeld: boolean, readonly releases: number }
  sendPing (): void
  stale (): void
}

/** PINGs to the client, as server/client.go processPingTimer and setFirstPingTimer send them. */
export class Keepalive {
  interval: number
  max: number
  /** Round trip in milliseconds; 0 while unknown. */
  rtt = 0
  /** When the client last sent something that keeps PINGs away. */
  lastIn = Date.now()
  private readonly owner: KeepaliveOwner
  private timer: NodeJS.Timeout | null = null
  private unanswered = 0
  private pingedAt = 0
  private wasActive = false
  private releases = 0

  constructor (owner: KeepaliveOwner, interval: number, max: number) {
    this.owner = owner
    this.interval = interval
    this.max = max
  }

  /**
   * The first PING comes early, to learn the round trip. Called again when CONNECT arrives.
   *
   * @param rtt an estimate of the round trip, 0 while there is none
   */
  start (rtt: number): void {
    this.rtt = rtt
    const first = Math.min(this.interval, firstPingInterval)
    this.arm(first * (1 + Math.random() * firstPingJitter))
  }

  stop (): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
  }

  // hot: once per message
  /** The client sent a message, a subscription or a PING. */
  active (): void {
    this.wasActive = true
  }

  /** The end of a chunk from the client. */
  read (): void {
    if (!this.wasActive) return
    this.wasActive = false
    this.lastIn = Date.now()
  }

  /** @param own whether the PING was one of keepalive's */
  pong (own = true): void {
    this.unanswered = 0
    if (own && this.pingedAt > 0) this.rtt = Math.max(1, Date.now() - this.pingedAt)
  }

  private arm (delay: number): void {
    this.stop()
    this.timer = setTimeout(() => { this.tick() }, delay)
  }

  /** Answers are not seen while the client is not read: PINGs that it has not answered count from then on that it is. */
  private forgive (): void {
    const { isHeld, releases } = this.owner.gate
    if (isHeld || releases !== this.releases) this.unanswered = 0
    this.releases = releases
  }

  private tick (): void {
    this.forgive()
    const now = Date.now()
    const rttWanted = this.rtt === 0 || now - this.pingedAt > rttMaxAge
    if (now - this.lastIn >= this.interval || rttWanted) {
      if (this.unanswered + 1 > this.max) {
        this.owner.stale()
        return
      }
      this.unanswered++
      this.pingedAt = now
      this.owner.sendPing()
    }
    this.arm(this.interval)
  }
}
