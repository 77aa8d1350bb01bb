// Topics that gateways talk to each other on, past Aedes. No MQTT client hears them.

/** Those of one node. */
export interface ReservedTopics {
  /** What the node says to all others. */
  readonly presence: string
  /** What others say to the node. */
  readonly batches: string
  /** Topic filters of all nodes. */
  readonly allPresence: string
  readonly allBirths: string
}

/** @param brokerId may hold any character */
export function reservedTopicsOf (brokerId: string): ReservedTopics {
  const prefix = `$SYS/${encodeURIComponent(brokerId)}/nats/`
  return { presence: `${prefix}presence`, batches: `${prefix}batches`, allPresence: '$SYS/+/nats/presence', allBirths: '$SYS/+/birth' }
}

// hot: once per message from the queue
export function isReserved (topic: string): boolean {
  return topic.charCodeAt(0) === 0x24 /* $ */ && /^\$SYS\/[^/]+\/nats\//.test(topic)
}

// hot: once per message of a client that its broker hands to a shared queue
/** Whether gateways believe what is said on a topic: only they, or Aedes itself, publish there. */
export function isBelieved (topic: string): boolean {
  return topic.charCodeAt(0) === 0x24 /* $ */ && /^\$SYS\/[^/]+\/(?:nats\/|birth$)/.test(topic)
}

/** Whether a topic filter may match a reserved topic. */
export function mayHearReserved (topicFilter: string): boolean {
  return /^(?:#|(?:\$SYS|\+)\/(?:#|[^/]+\/(?:#|(?:nats|\+)\/(?:#|[^/]+(?:\/#)?))))$/.test(topicFilter)
}
