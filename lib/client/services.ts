import type { Authenticator } from '../auth/authenticator.ts'
import type { HostHookPolicy } from '../auth/hooks.ts'
import type { Seats } from '../auth/seats.ts'
import type { HostLink } from '../broker/link.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Durables } from '../durable/durables.ts'
import type { Logger, ResolvedOptions } from '../options.ts'
import type { Spaces } from '../routing/spaces.ts'
import type { Client } from './client.ts'
import type { Flusher } from './flusher.ts'

/** Messages and bytes of payload; `in` is from clients. */
export interface Traffic {
  inMessages: number
  inBytes: number
  outMessages: number
  outBytes: number
}

export function addTraffic (totals: Traffic, more: Traffic): void {
  totals.inMessages += more.inMessages
  totals.inBytes += more.inBytes
  totals.outMessages += more.outMessages
  totals.outBytes += more.outBytes
}

/** The traffic of all connections, past and present. */
export function totalTraffic (past: Traffic, present: Iterable<Traffic>): Traffic {
  const totals = { ...past }
  for (const each of present) addTraffic(totals, each)
  return totals
}

/** Counts since the gateway began; plain fields that connections add to. */
export class Counters {
  slowConsumers = 0
  staleConnections = 0
  totalConnections = 0
  /** Publishes from NATS that the broker refused or could not store. */
  failedPublishes = 0
}

/** What all connections of a gateway share. */
export interface Services {
  /** Replaced when the gateway's options are updated. */
  options: ResolvedOptions
  readonly log: Logger
  readonly link: HostLink
  readonly spaces: Spaces
  /** Null where the broker shares its queue with nobody. */
  readonly cluster: Cluster | null
  readonly policy: HostHookPolicy
  /** Replaced when users or permissions are updated. */
  authenticator: Authenticator
  readonly seats: Seats
  /** Null when no queue group is durable. */
  readonly durables: Durables | null
  readonly flusher: Flusher
  readonly counters: Counters
  /** A client has had its first PONG: it takes INFO at any time from now on. */
  greeted (client: Client): void
  /** The connection is gone. */
  closed (client: Client): void
}
