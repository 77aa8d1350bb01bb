/** What is counted of a run. */
export interface Counts {
  readonly published: number
  readonly acknowledged: number
  /** Distinct messages that were handled. */
  readonly delivered: number
  /** Acknowledged ones that nobody has handled. */
  readonly lost: number
  /** Messages handled once more than once. */
  readonly duplicated: number
}

// What happened to a number, as bits.
const acknowledgedBit = 1
const handledBit = 2
const readBit = 4
const buriedBit = 8

/** Numbered messages, as publishers and subscribers report them. Numbers go from 0 to below `size`. */
export class Ledger {
  /** Handled ones, repeated ones included, by the name of the subscriber. */
  readonly shares = new Map<string, number>()
  /** Handled ones that had a smaller number than one before. */
  disordered = 0
  /** Repeated ones whose `Nmqtt-Id` was not that of the first time. */
  renamed = 0
  /** When the last one was handled for the first time, in milliseconds since 1970. */
  lastDelivery = 0
  private readonly marks: Uint8Array
  private readonly ids = new Map<number, string>()
  private publishedBy = new Map<string, number>()
  private acknowledged = 0
  private delivered = 0
  private duplicated = 0
  private missing = 0
  private highest = -1
  private lastReport = 0
  private waiting = new Set<() => void>()

  constructor (size: number) {
    this.marks = new Uint8Array(size)
  }

  get counts (): Counts {
    const { acknowledged, delivered, missing: lost, duplicated } = this
    return { published: this.published, acknowledged, delivered, lost, duplicated }
  }

  get published (): number {
    let sum = 0
    for (const count of this.publishedBy.values()) sum += count
    return sum
  }

  /** Of the lost ones, those that died in a client library that had read them. */
  get buried (): number {
    return this.marks.reduce((sum, mark) => (mark & (acknowledgedBit | handledBit | buriedBit)) === (acknowledgedBit | buriedBit) ? sum + 1 : sum, 0)
  }

  /** The only subscriber has died: what it had read, and not handled, dies with it. */
  bury (): void {
    for (const [n, mark] of this.marks.entries()) {
      if ((mark & (readBit | handledBit)) === readBit) this.marks[n] = mark | buriedBit
    }
  }

  sent (publisher: string, count: number): void {
    this.publishedBy.set(publisher, count)
    this.changed()
  }

  accept (n: number): void {
    this.acknowledged++
    if ((this.mark(n, acknowledgedBit) & handledBit) === 0) this.missing++
  }

  read (n: number): void {
    this.mark(n, readBit)
  }

  handle (subscriber: string, n: number, id: string): void {
    this.shares.set(subscriber, (this.shares.get(subscriber) ?? 0) + 1)
    const before = this.mark(n, handledBit)
    if ((before & handledBit) !== 0) {
      this.duplicated++
      if (this.ids.get(n) !== id) this.renamed++
      return
    }
    this.delivered++
    this.lastDelivery = Date.now()
    this.ids.set(n, id)
    if ((before & acknowledgedBit) !== 0) this.missing--
    if (n < this.highest) this.disordered++
    else this.highest = n
  }

  /** To be called after a batch of reports. */
  changed (): void {
    this.lastReport = Date.now()
    for (const wake of this.waiting) wake()
  }

  /** Resolves with true once that holds, with false when nothing has been reported for `patience` seconds before. */
  until (holds: () => boolean, patience: number): Promise<boolean> {
    const began = Date.now()
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        if (Date.now() - Math.max(this.lastReport, began) >= patience * 1000) finish(false)
      }, 500)
      const check = (): void => {
        if (holds()) finish(true)
      }
      const finish = (answer: boolean): void => {
        clearInterval(timer)
        this.waiting.delete(check)
        resolve(answer)
      }
      this.waiting.add(check)
      check()
    })
  }

  private mark (n: number, bit: number): number {
    const before = this.marks[n]
    if (before === undefined) throw new Error(`a message that nobody published: ${n}`)
    this.marks[n] = before | bit
    return before
  }
}
