/** Something with text to write. */
export interface Flushable {
  flush (): void
}

/**
 * Writes once per turn of the event loop, however many messages a turn brings: a system call costs as much as
 * dozens of messages.
 */
export class Flusher {
  private dirty: Flushable[] = []
  private scheduled = false
  private readonly run = (): void => {
    this.scheduled = false
    this.flush()
  }

  add (flushable: Flushable): void {
    this.dirty.push(flushable)
    if (this.scheduled) return
    this.scheduled = true
    setImmediate(this.run)
  }

  /** Writes what is there now. */
  flush (): void {
    const { dirty } = this
    if (dirty.length === 0) return
    this.dirty = []
    for (const each of dirty) each.flush()
  }
}
