import type { Teardown } from '../helper/brokers.ts'
import type { Audience, Counts, Ledger } from './ledger.ts'
import type { Nodes, NodesOptions } from './nodes.ts'

export interface Outcome {
  readonly counts: Counts
  /** What else was seen, in words. */
  readonly notes: readonly string[]
  /** What was not as it has to be, in words. */
  readonly broken: readonly string[]
}

export interface Scenario {
  readonly name: string
  readonly text: string
  /** How hard it is run: 1 is a full run. */
  readonly short: number | null
  /** Of nodes of its own; without it, those of others do. */
  readonly nodes?: NodesOptions
  run (t: Teardown, nodes: Nodes, share: number): Promise<Outcome>
}

// In seconds.
const mostUntilAgreed = 5

/** What holds for every run: the nodes agree soon, and nothing comes twice or in another order. */
export async function judge (nodes: Nodes, ledger: Ledger, { broken = [], notes = [], mayLose }: { broken?: string[], notes?: string[], mayLose?: (audience: Audience) => boolean } = {}): Promise<Outcome> {
  const seconds = await nodes.agreed()
  if (seconds > mostUntilAgreed) broken.push(`the nodes agreed after ${seconds.toFixed(1)} s only`)
  return { counts: ledger.counts, notes: [...notes, `agreed after ${seconds.toFixed(1)} s`], broken: [...ledger.faults(mayLose), ...broken] }
}

/** Outcome of a count of requests. */
export function requestCounts (sent: number, received: number, duplicated: number): Counts {
  return { sent, received, duplicated, lost: sent - (received - duplicated) }
}
