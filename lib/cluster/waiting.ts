interface Entry {
  readonly stamp: number
  readonly callback: () => void
}

/** Who waits for all other nodes to know something. */
export class Waiting {
  private readonly isKnown: (stamp: number) => boolean
  private readonly patience: number
  private entries: Entry[] = []

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
    const entry = { stamp, callback }
    this.entries.push(entry)
    setTimeout(() => { if (this.entries.includes(entry)) this.release(entry) }, this.patience).unref()
  }

  /** Looks who need not wait any more. */
  look (): void {
    if (this.entries.length === 0) return
    for (const entry of this.entries.filter(({ stamp }) => this.isKnown(stamp))) this.release(entry)
  }

  private release (entry: Entry): void {
    this.entries = this.entries.filter((each) => each !== entry)
    entry.callback()
  }
}
