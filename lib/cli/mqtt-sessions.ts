import type { HostBroker, HostSubscription } from '../broker/host.ts'
import type { MqttClient } from './mqtt-guest.ts'

interface SubscriptionStore {
  addSubscriptions (client: object, subscriptions: readonly HostSubscription[]): Promise<unknown>
  removeSubscriptions (client: object, topicFilters: readonly string[]): Promise<unknown>
}

/** The subscriptions that Aedes stores with a session, by which it stores messages while the client is away. */
export class MqttSessions {
  private readonly store: SubscriptionStore
  private readonly failed: (client: MqttClient, error: Error) => void

  /** @param isAllowed Aedes stores all subscriptions of a packet when it has been allowed one (lib/handlers/subscribe.js) */
  constructor ({ persistence }: HostBroker, isAllowed: (client: object, topicFilter: string) => boolean, failed: (client: MqttClient, error: Error) => void) {
    const store = persistence as unknown as SubscriptionStore
    const { addSubscriptions } = store
    store.addSubscriptions = (client, subscriptions) => {
      return addSubscriptions.call(store, client, subscriptions.filter(({ topic }) => isAllowed(client, topic)))
    }
    this.store = store
    this.failed = failed
  }

  forget (client: MqttClient, topicFilters: readonly string[]): void {
    if (client.clean) return
    this.store.removeSubscriptions(client, topicFilters).catch((error: Error) => { this.failed(client, error) })
  }
}
