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

// How long a store may say nothing, in milliseconds. Redis looks through a million retained messages in ten seconds.
const patience = 30_000

/** The promise, or an error when it takes too long. */
export function inTime<T> (promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => { reject(new Error(`no answer within ${patience / 1000} s`)) }, patience)
    promise.then(resolve, reject).finally(() => { clearTimeout(timer) })
  })
}

async function * patiently (packets: AsyncIterable<PublishPacket>): AsyncGenerator<PublishPacket> {
  const iterator = packets[Symbol.asyncIterator]()
  let next: Promise<IteratorResult<PublishPacket>> | null = null
  try {
    for (;;) {
      next = iterator.next()
      const { value, done } = await inTime(next)
      if (done === true) return
      next = null
      yield value
    }
  } finally {
    // A store that is away does not answer that either, so nobody waits for it.
    if (next === null) iterator.return?.().catch(() => {})
    else next.then(() => iterator.return?.(), () => {}).catch(() => {})
  }
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
 * @throws {Error} what the store says, or that it says nothing
 */
export async function * retainedFor (link: HostLink, names: Names, filter: string): AsyncGenerator<Retained> {
  const wanted = new Trie<true>()
  wanted.insert(filter, true)
  const seen = new Set<string>()
  for (const topicFilter of names.topicFiltersOf(filter)) {
    // A topic is looked up as it is.
    const asked = /[+#]/.test(topicFilter) ? safeFilter(topicFilter) : topicFilter
    for await (const stored of patiently(link.broker.persistence.createRetainedStreamCombi([asked]))) {
      const { topic } = stored
      const subject = names.subjectOf(topic)
      if (subject === null) continue
      const found: true[] = []
      wanted.match(subject, found, isNatsBorn(stored) ? 0 : names.literalTokens(topic))
      if (found.length === 0 || seen.has(topic)) continue
      seen.add(topic)
      const packet = alive(stored)
      if (packet !== null) yield { packet, subject }
    }
  }
}
