import { addressOf, type ClientStream } from '../client/arrival.ts'
import { NatsError } from '../errors.ts'
import type { ResolvedOptions } from '../options.ts'

type AdmissionOptions = Pick<ResolvedOptions, 'maxConnections' | 'maxConnectionsPerAddress' | 'maxConnectionRate'>

/** Connections that an address may still open at once; they come back with time, a second's worth at most. */
interface Bucket {
  tokens: number
  /** When they were counted, in milliseconds. */
  at: number
}

const second = 1000

/**
 * Whom a connection counts for: its address, and for IPv6 the network of 64 bits that it is in, whose addresses are all
 * one host's to choose (RFC 4291, 2.5.4).
 */
export function origin (address: string): string {
  if (!address.includes(':')) return address
  const [before = '', after] = address.split('%')[0]?.split('::') ?? []
  const head = before.split(':').filter((group) => group !== '')
  const tail = (after ?? '').split(':').filter((group) => group !== '')
  // IPv4 at the end stands for two groups.
  const given = head.length + tail.length + (tail.at(-1)?.includes('.') === true ? 1 : 0)
  const all = after === undefined ? head : [...head, ...Array<string>(Math.max(0, 8 - given)).fill('0'), ...tail]
  return all.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, '').toLowerCase()).join(':') + '::'
}

/** Who may connect: so many at a time, and so many from one address at a time and a second. */
export class Admission {
  private readonly connected = new Map<string, number>()
  private readonly buckets = new Map<string, Bucket>()
  private sweptAt = 0

  /**
   * Counts a connection until its stream closes, unless it may not stay.
   *
   * @param others the connections that there are
   * @returns what to tell it before it is closed; null when it may stay
   */
  admit (stream: ClientStream, others: number, options: AdmissionOptions): NatsError | null {
    // It may be gone by the time that somebody asks again.
    const address = addressOf(stream)
    const refused = this.enter(address, others, options)
    if (refused === null) stream.once('close', () => { this.leave(address) })
    return refused
  }

  /**
   * Counts a connection that may stay, and then has to `leave`.
   *
   * @param address empty for one that has none, which no limit of addresses holds for
   * @param now in milliseconds
   */
  enter (address: string, others: number, options: AdmissionOptions, now = performance.now()): NatsError | null {
    const { maxConnections, maxConnectionsPerAddress, maxConnectionRate } = options
    if (maxConnections > 0 && others >= maxConnections) return new NatsError('NATS_ERR_MAX_CONNECTIONS', String(maxConnections))
    if (address === '') return null
    const from = origin(address)
    const same = this.connected.get(from) ?? 0
    if (maxConnectionsPerAddress > 0 && same >= maxConnectionsPerAddress) {
      return new NatsError('NATS_ERR_MAX_CONNECTIONS_PER_ADDRESS', String(maxConnectionsPerAddress), from)
    }
    if (maxConnectionRate > 0 && !this.take(from, maxConnectionRate, now)) {
      return new NatsError('NATS_ERR_CONNECTION_RATE', String(maxConnectionRate), from)
    }
    this.connected.set(from, same + 1)
    return null
  }

  leave (address: string): void {
    if (address === '') return
    const from = origin(address)
    const left = (this.connected.get(from) ?? 0) - 1
    if (left > 0) this.connected.set(from, left)
    else this.connected.delete(from)
  }

  private take (from: string, rate: number, now: number): boolean {
    this.sweep(now)
    let bucket = this.buckets.get(from)
    if (bucket === undefined) this.buckets.set(from, bucket = { tokens: rate, at: now })
    bucket.tokens = Math.min(rate, bucket.tokens + (now - bucket.at) * rate / second)
    bucket.at = now
    if (bucket.tokens < 1) return false
    bucket.tokens--
    return true
  }

  /** After a second without a connection a bucket is full, as that of an address which never was here. */
  private sweep (now: number): void {
    if (now - this.sweptAt < second) return
    this.sweptAt = now
    for (const [from, { at }] of this.buckets) {
      if (now - at >= second) this.buckets.delete(from)
    }
  }

  /** Addresses that are remembered. */
  get size (): number {
    return Math.max(this.connected.size, this.buckets.size)
  }
}
