import type { Aedes, Client } from 'aedes'

interface Identified { messageId?: number }

interface IncomingStore {
  incomingStorePacket (client: Client, packet: Identified): Promise<void>
  incomingDelPacket (client: Client, packet: Identified): Promise<void>
}

/**
 * Ends what a clean session has begun at QoS 2 when its connection ends (MQTT 3.1.2.4). Aedes 2.0.0-beta.1 keeps the
 * ids of messages that were never released: a script that publishes and closes without waiting, as the same client
 * with the same message ids, would be heard once only.
 */
export function endCleanSessions (broker: Aedes): void {
  const store = (broker as unknown as { persistence: IncomingStore }).persistence
  const incomingStorePacket = store.incomingStorePacket.bind(store)
  const incomingDelPacket = store.incomingDelPacket.bind(store)
  const unreleased = new WeakMap<Client, Set<number>>()

  store.incomingStorePacket = async (client, packet) => {
    if (client.clean && packet.messageId !== undefined) {
      const ids = unreleased.get(client)
      if (ids === undefined) unreleased.set(client, new Set([packet.messageId]))
      else ids.add(packet.messageId)
    }
    await incomingStorePacket(client, packet)
  }
  store.incomingDelPacket = async (client, packet) => {
    if (packet.messageId !== undefined) unreleased.get(client)?.delete(packet.messageId)
    await incomingDelPacket(client, packet)
  }
  broker.on('clientDisconnect', (client) => {
    for (const messageId of unreleased.get(client) ?? []) {
      incomingDelPacket(client, { messageId }).catch(() => { /* The store is away; it says so itself. */ })
    }
  })
}
