interface Operation {
  readonly isRemoval: boolean
  readonly run: () => void
}

/**
 * Keeps a registration at a shared queue behind the removals before it. mqemitter-redis asks for them in order, but
 * ioredis sends PUNSUBSCRIBE a tick late when it pipelines by itself (lib/autoPipelining.ts takes it for a command of
 * another name), so that PSUBSCRIBE overtakes it and the filter ends up deaf.
 */
export class QueueOrder {
  private removing = 0
  private waiting: Operation[] = []

  add (run: () => void): void {
    this.enqueue({ isRemoval: false, run })
  }

  /** `run` must call back once the removal is done. */
  remove (run: (done: () => void) => void): void {
    this.enqueue({
      isRemoval: true,
      run: () => {
        this.removing++
        run(() => {
          this.removing--
          this.proceed()
        })
      }
    })
  }

  /** Lets everything go that waits. */
  release (): void {
    const { waiting } = this
    this.waiting = []
    for (const { run } of waiting) run()
  }

  private enqueue (operation: Operation): void {
    this.waiting.push(operation)
    this.proceed()
  }

  private proceed (): void {
    for (let next = this.waiting[0]; next !== undefined && (next.isRemoval || this.removing === 0); next = this.waiting[0]) {
      this.waiting.shift()
      next.run()
    }
  }
}
