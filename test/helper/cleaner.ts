import type { Teardown } from './brokers.ts'

/** Ends what a run has started, the youngest first. */
export class Cleaner implements Teardown {
  private readonly callbacks: (() => unknown)[] = []

  teardown (callback: () => unknown): void {
    this.callbacks.push(callback)
  }

  async clean (): Promise<void> {
    for (let callback = this.callbacks.pop(); callback !== undefined; callback = this.callbacks.pop()) await callback()
  }
}
