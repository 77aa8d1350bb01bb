import type { Names } from '../subject/names.ts'
import { Trie } from '../subject/trie.ts'
import type { PublishPacket } from './host.ts'
import { isNatsBorn } from './identity.ts'
import type { HostLink } from './link.ts'
import { safeFilter } from './safe-filter.ts'

/** A retained message and the subject of its topic. */
export interface Retained {
  readonly packet: PublishPacket
  readonly subject: string
}

/** With the rest of its time to live; null when that is over (MQTT 5, 3.3.2.3.3). */
function alive (packet: PublishPacket): PublishPacket | null {
  if (packet.messageExpiry === undefined) return packet
  const rest = packet.messageExpiry - Date.now()
  return rest <= 0 ? null : { ...packet, properties: { ...packet.properties, messageExpiryInterval: Math.ceil(rest / 1000) } }
}

/**
 * The retained messages that a new subscription gets, each once: aedes-persistence-redis gives one again that a filter
 * and a topic match, and whatever Redis' HSCAN gives again.
 *
 * @param filter what the client subscribes to, which decides: `foo.>` does not match `foo`, and a `$` topic needs a filter
 * that names its first level, unless a NATS client published it
 */
export async function * retainedFor (link: HostLink, names: Names, filter: string): AsyncGenerator<Retained> {
  const wanted = new Trie<true>()
  wanted.insert(filter, true)
  const seen = new Set<string>()
  for (const topicFilter of names.topicFiltersOf(filter)) {
    // A topic is looked up as it is.
    const asked = /[+#]/.test(topicFilter) ? safeFilter(topicFilter) : topicFilter
    for await (const stored of link.broker.persistence.createRetainedStreamCombi([asked])) {
      const { topic } = stored
      if (seen.has(topic)) continue
      seen.add(topic)
      const subject = names.subjectOf(topic)
      const packet = alive(stored)
      if (subject === null || packet === null) continue
      const found: true[] = []
      wanted.match(subject, found, isNatsBorn(packet) ? 0 : names.literalTokens(topic))
      if (found.length > 0) yield { packet, subject }
    }
  }
}
