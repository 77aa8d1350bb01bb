import type { Client } from '../client/client.ts'
import type { ResolvedOptions } from '../options.ts'
import { serverShutdown } from '../wire/close-status.ts'

// nats-server closes at most one connection a second when there are few (server/server.go lameDuckMode).
const slowestFarewell = 1000

/** Closes connections one by one, at random times, over the time of lame duck mode (server/server.go lameDuckMode). */
export class LameDuck {
  private readonly clients: ReadonlyMap<number, Client>
  private empty: (() => void)[] = []

  constructor (clients: ReadonlyMap<number, Client>) {
    this.clients = clients
  }

  /** Resolves when no connection is left. */
  async run ({ lameDuckDuration, lameDuckGracePeriod }: ResolvedOptions): Promise<void> {
    await this.pause(lameDuckGracePeriod)
    const step = Math.min(slowestFarewell, Math.max(0, lameDuckDuration - lameDuckGracePeriod) / Math.max(1, this.clients.size))
    for (const client of [...this.clients.values()]) {
      client.close('', serverShutdown)
      if (this.clients.size > 0) await this.pause(Math.random() * step)
    }
  }

  /** A connection is gone; maybe the last. */
  left (): void {
    if (this.clients.size > 0) return
    const { empty } = this
    this.empty = []
    for (const resolve of empty) resolve()
  }

  /** Waits, but not longer than there are clients. */
  private pause (time: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.clients.size === 0) {
        resolve()
        return
      }
      const timer = setTimeout(resolve, time)
      this.empty.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }
}
