import type { Bridge } from '../broker/bridge.ts'
import type { HostLink } from '../broker/link.ts'
import type { ResolvedOptions } from '../options.ts'
import { bury } from './dead-letter.ts'
import { Durables } from './durables.ts'
import { FakeStore } from '../../test/durable/fake-store.ts'

/**
 * The durable groups of a gateway; null when no queue group is to be durable.
 *
 * @param answer sends an empty message to a subject
 */
export function createDurables (link: HostLink, bridge: Bridge, options: ResolvedOptions, answer: (subject: string) => void): Durables | null {
  if (options.durable === false) return null
  const log = options.logger
  return new Durables({
    store: new FakeStore(),
    bridge,
    log,
    limits: options,
    bury: (group, held) => bury(group, held, options.deadLetter, bridge, log),
    answer
  })
}
