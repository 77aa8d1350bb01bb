import { asHost, type HostBroker } from '../../lib/broker/host.ts'
import { HostLink } from '../../lib/broker/link.ts'
import type { WrapOptions } from '../../lib/broker/wraps.ts'
import type { AnyAedes, Teardown } from './brokers.ts'

/** What a gateway does to a broker, without the gateway. Undone with the test, or before. */
export function startLink (t: Teardown, broker: AnyAedes, options?: Partial<WrapOptions>): { link: HostLink, host: HostBroker, close: () => void } {
  const host = asHost(broker)
  const link = new HostLink(host, options)
  let closed = false
  const close = (): void => {
    if (!closed) link.close()
    closed = true
  }
  t.teardown(close)
  return { link, host, close }
}

/** A client of Aedes' persistence that is not connected, as a durable group is one. */
export async function addOffline (broker: AnyAedes, id: string, ...topics: string[]): Promise<void> {
  const { persistence } = broker as unknown as { persistence: { addSubscriptions (client: { id: string }, subscriptions: object[]): Promise<unknown> } }
  await persistence.addSubscriptions({ id }, topics.map((topic) => ({ topic, qos: 1, clientId: id })))
}

/** What waits for such a client, oldest first. */
export async function waitingFor (broker: AnyAedes, id: string): Promise<string[]> {
  const { persistence } = broker as unknown as { persistence: { outgoingStream (client: { id: string }): AsyncIterable<{ payload: Buffer }> } }
  const texts: string[] = []
  for await (const { payload } of persistence.outgoingStream({ id })) texts.push(payload.toString())
  return texts
}

/** Resolves once a condition holds. */
export async function until (condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => { setTimeout(resolve, 1) })
}
