import { Facade } from './facade.ts'
import { listenersOf } from './foreign.ts'
import type { HostBroker, MqListener, PublishPacket } from './host.ts'

// What each broker says of a client that it has let in.
const newClients = '$SYS/+/new/clients'

/**
 * Has a NATS client told that a client of another node has its id now, before Aedes closes it as the host would, without a
 * word why (aedes.js closeSameClients). That listener is older than any of ours: another one takes its place.
 *
 * @returns undoes it
 */
export function tellOfTakeovers (broker: HostBroker): () => void {
  const { mq } = broker
  const found = typeof mq._matcher?.visit !== 'function' ? [] : [...listenersOf(mq._matcher)]
  const [, closing] = found.find(([topicFilter, { name }]) => topicFilter === newClients && name === 'closeSameClients') ?? []
  if (closing === undefined) return () => {}
  const telling: MqListener = function (this: unknown, packet, done) {
    tell(broker, packet)
    closing.call(this, packet, done)
  }
  mq.on(newClients, telling)
  mq.removeListener(newClients, closing)
  return () => {
    mq.on(newClients, closing)
    mq.removeListener(newClients, telling)
  }
}

function tell ({ id, clients }: HostBroker, { topic, payload }: PublishPacket): void {
  if (topic.split('/')[1] !== id) Facade.takeOver(clients[payload.toString()])
}
