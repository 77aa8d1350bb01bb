import { Aedes as Aedes2, type AedesOptions } from 'aedes'
import { Aedes as Aedes1 } from 'aedes1'
import net, { type AddressInfo } from 'node:net'
import type { Broker, GatewayOptions } from '../../lib/index.ts'
import { createGateway, type Gateway } from '../../lib/index.ts'

/** As much of a tap test as helpers need. */
export interface Teardown {
  teardown (callback: () => unknown): void
}

export type AnyAedes = Aedes2

/** Both versions that the gateway runs on. */
export const versions: { readonly name: string, readonly mqtt5: boolean, readonly create: (options?: AedesOptions) => Promise<AnyAedes> }[] = [
  { name: 'Aedes 1.2.0', mqtt5: false, create: async (options) => await Aedes1.createBroker(options as object) as unknown as AnyAedes },
  { name: 'Aedes 2.0.0-beta.1', mqtt5: true, create: async (options) => await Aedes2.createBroker(options) }
]

export interface Host {
  readonly broker: AnyAedes
  readonly gateway: Gateway
  readonly natsPort: number
  readonly natsUrl: string
  readonly mqttPort: number
  readonly mqttUrl: string
}

/** An Aedes broker with an MQTT listener; closed with the test. */
export async function startBroker (t: Teardown, create = versions[1]?.create, options: AedesOptions = {}): Promise<{ broker: AnyAedes, mqttPort: number }> {
  const broker = await (create as (options?: AedesOptions) => Promise<AnyAedes>)(options)
  const server = net.createServer(broker.handle)
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => new Promise<void>((resolve) => {
    server.close()
    broker.close(() => { resolve() })
  }))
  return { broker, mqttPort: (server.address() as AddressInfo).port }
}

/** A broker with a gateway on it, both on free ports. */
export async function startHost (t: Teardown, options: { create?: (options?: AedesOptions) => Promise<AnyAedes>, aedes?: AedesOptions, nats?: GatewayOptions } = {}): Promise<Host> {
  const { broker, mqttPort } = await startBroker(t, options.create, options.aedes)
  const gateway = await createGateway(broker as Broker, { host: '127.0.0.1', port: 0, ...options.nats })
  t.teardown(() => gateway.close())
  return { broker, gateway, natsPort: gateway.port, natsUrl: `nats://127.0.0.1:${gateway.port}`, mqttPort, mqttUrl: `mqtt://127.0.0.1:${mqttPort}` }
}
