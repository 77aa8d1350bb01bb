import type { DurableStore } from './store.ts'

// Ids that one call takes.
const maxBatch = 4000
// How long to wait before a failed call is tried again, in milliseconds.
const retryAfter = 250

/** Tells the store which messages of a group are done, many at a time: one call is under way while the next gathers. */
export class Settlement {
  private readonly store: DurableStore
  private readonly group: string
  private ids: string[] = []
  private confirms: (() => void)[] = []
  private running: Promise<void> | null = null
  private retry: NodeJS.Timeout | null = null
  private closed = false

  constructor (store: DurableStore, group: string) {
    this.store = store
    this.group = group
  }

  /** Messages that the store has not been told of yet. */
  get length (): number {
    return this.ids.length
  }

  // hot: once per acknowledgement
  /** @param confirm called once the store knows */
  add (id: string, confirm: (() => void) | null): void {
    this.ids.push(id)
    if (confirm !== null) this.confirms.push(confirm)
  }

  /** Tells the store, unless it is being told or is away: what has gathered goes next. */
  flush (): void {
    if (this.ids.length === 0 || this.running !== null || this.retry !== null) return
    this.running = this.send()
  }

  /** Resolves once the store knows everything, or has failed to answer. */
  async finish (): Promise<void> {
    if (this.retry !== null) clearTimeout(this.retry)
    this.retry = null
    do {
      this.flush()
      await this.running
    } while (this.ids.length > 0 && this.retry === null)
    this.closed = true
    if (this.retry !== null) clearTimeout(this.retry)
  }

  /** Forgets what is to be told: the messages are somebody else's. */
  clear (): void {
    this.ids = []
    this.confirms = []
  }

  private async send (): Promise<void> {
    const ids = this.ids.splice(0, maxBatch)
    const confirms = this.ids.length === 0 ? this.confirms.splice(0) : []
    try {
      await this.store.ack(this.group, ids)
      this.running = null
      for (const confirm of confirms) confirm()
      this.flush()
    } catch {
      // The store has said that it is away. Acknowledging twice does no harm.
      this.running = null
      this.ids = ids.concat(this.ids)
      this.confirms = confirms.concat(this.confirms)
      if (this.closed) return
      this.retry = setTimeout(() => {
        this.retry = null
        this.flush()
      }, retryAfter)
    }
  }
}
