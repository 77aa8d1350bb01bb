/** What is counted of a run. */
export interface Counts {
  /** Messages. */
  readonly sent: number
  /** Deliveries, repeated ones included. */
  readonly received: number
  /** Deliveries of what the same audience had. */
  readonly duplicated: number
  /** Deliveries that did not come. */
  readonly lost: number
}

/** Whoever is to get each message of some publishers once: a subscriber, or a queue group. */
export class Audience {
  readonly name: string
  received = 0
  duplicated = 0
  /** Messages that came after a later one of the same publisher. */
  disordered = 0
  /** Messages of publishers that it does not hear. */
  strays = 0
  private readonly ledger: Ledger
  private readonly hears: (publisher: string) => boolean
  private readonly marks = new Map<string, Uint8Array>()
  private readonly highest = new Map<string, number>()
  /** Deliveries by member. */
  readonly shares = new Map<string, number>()

  constructor (ledger: Ledger, name: string, hears: (publisher: string) => boolean) {
    this.ledger = ledger
    this.name = name
    this.hears = hears
  }

  /** @param text `<publisher> <number>` */
  take (text: string, member = ''): void {
    const at = text.lastIndexOf(' ')
    const publisher = text.slice(0, at)
    const number = Number(text.slice(at + 1))
    if (at === -1 || !this.hears(publisher)) {
      this.strays++
      return
    }
    let marks = this.marks.get(publisher) ?? new Uint8Array(1024)
    if (number >= marks.length) {
      const longer = new Uint8Array(2 * number)
      longer.set(marks)
      marks = longer
    }
    this.marks.set(publisher, marks)
    this.received++
    this.shares.set(member, (this.shares.get(member) ?? 0) + 1)
    if (marks[number] === 1) this.duplicated++
    marks[number] = 1
    const highest = this.highest.get(publisher) ?? -1
    if (number < highest) this.disordered++
    else this.highest.set(publisher, number)
    this.ledger.changed()
  }

  get lost (): number {
    let due = 0
    for (const [publisher, count] of this.ledger.published) if (this.hears(publisher)) due += count
    return due - (this.received - this.duplicated)
  }
}

/** Who has published how much, and who has got it. Messages of a publisher are numbered from 0. */
export class Ledger {
  readonly published = new Map<string, number>()
  readonly audiences: Audience[] = []
  private readonly waiting = new Set<() => void>()

  audience (name: string, hears: (publisher: string) => boolean = () => true): Audience {
    const audience = new Audience(this, name, hears)
    this.audiences.push(audience)
    return audience
  }

  /** @returns the text of the next message */
  next (publisher: string): string {
    const number = this.published.get(publisher) ?? 0
    this.published.set(publisher, number + 1)
    return `${publisher} ${number}`
  }

  get counts (): Counts {
    const sum = (count: (audience: Audience) => number): number => this.audiences.reduce((total, audience) => total + count(audience), 0)
    return {
      sent: [...this.published.values()].reduce((total, count) => total + count, 0),
      received: sum(({ received }) => received),
      duplicated: sum(({ duplicated }) => duplicated),
      lost: sum(({ lost }) => lost)
    }
  }

  changed (): void {
    for (const wake of this.waiting) wake()
  }

  /** Resolves once everybody has all, or nothing has come for `patience` seconds. */
  async settled (patience = 8): Promise<void> {
    await new Promise<void>((resolve) => {
      let timer: NodeJS.Timeout
      const wake = (): void => {
        clearTimeout(timer)
        timer = setTimeout(finish, this.audiences.every(({ lost }) => lost === 0) ? 0 : patience * 1000)
      }
      const finish = (): void => {
        this.waiting.delete(wake)
        resolve()
      }
      this.waiting.add(wake)
      wake()
    })
  }

  /** What is not as it has to be when nothing may go wrong. */
  faults (isFree: (audience: Audience) => boolean = () => false): string[] {
    return this.audiences.flatMap((audience) => {
      const { name, lost, duplicated, disordered, strays } = audience
      const faults: string[] = []
      if (lost > 0 && !isFree(audience)) faults.push(`${name}: ${lost} lost`)
      if (duplicated > 0) faults.push(`${name}: ${duplicated} duplicated`)
      if (disordered > 0 && audience.shares.size === 1) faults.push(`${name}: ${disordered} out of order`)
      if (strays > 0) faults.push(`${name}: ${strays} that were not for it`)
      return faults
    })
  }
}
