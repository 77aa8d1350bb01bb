import type { Identity } from '../auth/identity.ts'
import { NatsError } from '../errors.ts'

// What setTimeout takes at the most, in milliseconds.
export const longest = 2 ** 31 - 1

/** Ends a connection that does not say who it is in time, or whose time is over (server/client.go setAuthTimer, setExpirationTimer). */
export class Clock {
  private readonly fail: (error: NatsError) => void
  private wait: NodeJS.Timeout | null = null
  private expiry: NodeJS.Timeout | null = null

  constructor (fail: (error: NatsError) => void) {
    this.fail = fail
  }

  /** @param time milliseconds until CONNECT has to be there */
  awaitConnect (time: number): void {
    this.wait ??= setTimeout(() => { this.fail(new NatsError('NATS_ERR_AUTHENTICATION_TIMEOUT', String(time))) }, time)
  }

  /** Whether CONNECT is waited for. */
  get isWaiting (): boolean {
    return this.wait !== null
  }

  stopWaiting (): void {
    if (this.wait !== null) clearTimeout(this.wait)
    this.wait = null
  }

  expireWith ({ expires }: Identity): void {
    if (this.expiry !== null) clearTimeout(this.expiry)
    this.expiry = null
    if (expires === null) return
    const { at, code } = expires
    const next = (): void => {
      const left = at - Date.now()
      if (left <= 0) this.fail(new NatsError(code))
      else this.expiry = setTimeout(next, Math.min(left, longest))
    }
    next()
  }

  stop (): void {
    this.stopWaiting()
    if (this.expiry !== null) clearTimeout(this.expiry)
    this.expiry = null
  }
}
