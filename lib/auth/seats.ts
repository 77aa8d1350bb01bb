import { NatsError } from '../errors.ts'
import type { Identity } from './identity.ts'

/** How many connections each account has. They stay counted while the accounts themselves are read again. */
export class Seats {
  private readonly connections = new Map<string, number>()

  /** Counts a connection of an account, up to its limit; `leave` has to follow where this is null. */
  enter ({ account, accountConnections }: Identity): NatsError | null {
    if (account === null) return null
    const count = this.connections.get(account) ?? 0
    if (count >= accountConnections) return new NatsError('NATS_ERR_ACCOUNT_CONNECTIONS', String(accountConnections), account)
    this.connections.set(account, count + 1)
    return null
  }

  leave ({ account }: Identity): void {
    if (account === null) return
    const count = this.connections.get(account) ?? 0
    if (count > 1) this.connections.set(account, count - 1)
    else this.connections.delete(account)
  }
}
