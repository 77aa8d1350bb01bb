interface Entry {
  readonly stamp: number
  readonly callback: () => void
  /** When it has waited long enough, by `performance.now`. */
  readonly until: number
}

// How often it is looked whether somebody is not worth waiting for any more, in milliseconds.
const interval = 100

/** Who waits for all other nodes to know something. */
export class Waiting {
  private readonly isKnown: (stamp: number) => boolean
  private readonly patience: number
  private entries: Entry[] = []
  private timer: NodeJS.Timeout | null = null

  /**
   * @param isKnown whether they know what this node wanted at a stamp
   * @param patience how long it is waited for, in milliseconds: the queue may be away
   */
  constructor (isKnown: (stamp: number) => boolean, patience: number) {
    this.isKnown = isKnown
    this.patience = patience
  }

  add (stamp: number, callback: () => void): void {
    if (this.isKnown(stamp)) {
      callback()
      return
    }
    this.entries.push({ stamp, callback, until: performance.now() + this.patience })
    this.timer ??= setInterval(() => { this.look() }, interval)
  }

  /** Looks who need not wait any more. */
  look (): void {
    if (this.timer === null) return
    const now = performance.now()
    const released: Entry[] = []
    const kept: Entry[] = []
    for (const entry of this.entries) (now >= entry.until || this.isKnown(entry.stamp) ? released : kept).push(entry)
    if (released.length === 0) return
    this.entries = kept
    if (this.entries.length === 0) this.stop()
    for (const { callback } of released) callback()
  }

  private stop (): void {
    if (this.timer !== null) clearInterval(this.timer)
    this.timer = null
  }
}
