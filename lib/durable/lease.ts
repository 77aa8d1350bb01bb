import { randomBytes } from 'node:crypto'
import type { SharedKeys } from './keys.ts'
import type { RedisCalls } from './redis-connection.ts'
import type { StoreTimes } from './times.ts'

export interface LeaseEvents {
  /** The lease of this node was taken; it goes on under a new name. */
  lost (before: string): Promise<void>
  /** A node is gone, and this one alone takes back what it had. Rejects when it did not succeed, and is called again. */
  died (node: string): Promise<void>
  /** After renewals, one at a time. */
  renewed (): Promise<void>
  failed (error: Error): void
}

/**
 * The proof that this node lives. A node is a name for one life: when others thought it dead, what they took back is
 * not its own any more, and it begins anew. Time is Redis' own.
 */
export class Lease {
  node = newName()
  private readonly calls: RedisCalls
  private readonly keys: SharedKeys
  private readonly times: StoreTimes
  private readonly events: LeaseEvents
  private timer: NodeJS.Timeout | undefined
  private renewing: Promise<string[]> | null = null
  private following: Promise<void> | null = null
  private closed = false
  /** When the last successful renewal began; 0 before the first. Local, monotonic. */
  private renewedAt = 0
  /** Since when renewals have succeeded without a gap. */
  private steadySince = 0

  constructor (calls: RedisCalls, keys: SharedKeys, times: StoreTimes, events: LeaseEvents) {
    this.calls = calls
    this.keys = keys
    this.times = times
    this.events = events
  }

  async open (): Promise<void> {
    await this.renew(true)
    this.schedule()
  }

  async close (): Promise<void> {
    this.closed = true
    clearTimeout(this.timer)
    await this.renewing?.catch(() => {})
    await this.following
    await this.calls.call('HDEL', [this.keys.leases, this.node]).catch(() => {})
  }

  /** Resolves when this node may take messages: after a sleep it must know first whether it is still thought alive. */
  async hold (): Promise<void> {
    if (performance.now() - this.renewedAt > this.times.lease - this.times.renewal / 2) await this.renewOnce()
  }

  private schedule (): void {
    if (this.closed) return
    this.timer = setTimeout(() => {
      this.renewOnce()
        // Renewals do not wait for it.
        .then((dead) => { this.following ??= this.follow(dead).finally(() => { this.following = null }) })
        // The connection tells about trouble.
        .catch(() => {})
        .finally(() => { this.schedule() })
    }, this.times.renewal)
  }

  private renewOnce (): Promise<string[]> {
    this.renewing ??= this.renew(false).finally(() => { this.renewing = null })
    return this.renewing
  }

  /** Never rejects: what fails is done the next time. */
  private async follow (dead: readonly string[]): Promise<void> {
    try {
      if (performance.now() - this.steadySince >= this.times.grace) {
        for (const node of dead) {
          if (await this.calls.run('bury', [this.keys.leases], [node, this.times.grace]) !== 1) continue
          await this.events.died(node)
          await this.calls.call('HDEL', [this.keys.leases, node])
        }
      }
      if (!this.closed) await this.events.renewed()
    } catch (error) {
      this.events.failed(error as Error)
    }
  }

  /** Changes nothing, and is refused when Redis is full, which scripts are not. */
  private async probe (): Promise<void> {
    await this.calls.call('SETRANGE', [`${this.keys.leases}?`, 0, ''])
      .then(() => { this.calls.recovered() }, (error: Error) => { if (!/OOM/.test(error.message)) throw error })
  }

  /** @returns the nodes that are dead */
  private async renew (isNew: boolean): Promise<string[]> {
    const began = performance.now()
    const { lease, grace } = this.times
    const answer = await this.calls.run('renew', [this.keys.leases], [this.node, lease, grace, isNew ? '1' : '0']) as Buffer[]
    const [mine, ...dead] = answer.map(String)
    if (mine === '0') {
      const before = this.node
      this.node = newName()
      await this.renew(true)
      await this.events.lost(before)
      return []
    }
    // Redis may have been away for less than a lease, and yet others could not renew theirs in time.
    if (began - this.renewedAt > 2 * this.times.renewal) this.steadySince = began
    this.renewedAt = began
    await this.probe()
    return dead
  }
}

function newName (): string {
  return randomBytes(9).toString('base64url')
}
