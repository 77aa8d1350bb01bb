import type { Logger } from '../options.ts'
import type { DeliveryLimits } from './dealer.ts'
import type { Group } from './group.ts'
import type { Held } from './held.ts'
import type { DurableStore } from './store.ts'

/** What all groups of a gateway share. */
export interface GroupServices {
  readonly store: DurableStore
  readonly log: Logger
  /** As they are now. */
  readonly limits: DeliveryLimits
  /** What the stream tokens of reply subjects begin with at this gateway; each group adds its own. */
  readonly stream: string
  /** Messages by the reply subjects of their deliveries. */
  readonly answers: Map<string, { readonly group: Group, readonly held: Held }>
  /** No member of a group on this node may have a message, which is dropped. */
  forbidden (group: string): void
  /** Publishes a message that was delivered too often where somebody looks after it. */
  bury (group: Group, held: Held): Promise<void>
}
